"""What the rules of nodes say, in Chinese."""

RULES: dict[str, str] = {
    # names of what has none
    "(old {name})": "(旧 {name})",
    "the whole": "整体",
    "the part": "那部分",
    "a part": "一部分",
    "the index": "索引",
    "its index": "索引",
    "the scores": "分数",
    "the mask of dropout": "dropout 的掩码",
    "a number": "一个数",
    "the derivative": "导数",
    # pieces
    "1 where {a} > 0, else 0": "1（{a} > 0 处），否则 0",
    "1, as {a} > 0": "1（因为 {a} > 0）",
    "0, as {a} ≤ 0": "0（因为 {a} ≤ 0）",
    "1 where {a} > 0, else {slope}": "1（{a} > 0 处），否则 {slope}",
    "{a} where {a} > 0, else {slope}·{a}": "{a}（{a} > 0 处），否则 {slope}·{a}",
    "1 where {a} > 0, else {w}": "1（{a} > 0 处），否则 {w}",
    "0 where {a} > 0, else {a}": "0（{a} > 0 处），否则 {a}",
    "{a} where {a} > 0, else {w}·{a}": "{a}（{a} > 0 处），否则 {w}·{a}",
    "{s} where {a} > 0, else {by}{power}": "{s}（{a} > 0 处），否则 {by}{power}",
    "1/6 where -3 < {a} < 3, else 0": "1/6（-3 < {a} < 3 处），否则 0",
    "0 where {a} ≤ -3, 1 where {a} ≥ 3, else {a}/3 + 1/2": "0（{a} ≤ -3 处），1（{a} ≥ 3 处），否则 {a}/3 + 1/2",
    "0 where {a} was set to 0, else 1": "0（{a} 被置 0 处），否则 1",
    "1 where {a} was kept, else 0": "1（{a} 保留处），否则 0",
    "1 where {a} ≥ 0, else the slope that was drawn": "1（{a} ≥ 0 处），否则为随机抽取的斜率",
    "1 where {a} is not nan, else 0": "1（{a} 不是 nan 处），否则 0",
    "1 where {a} was below {low}, else 0": "1（{a} 小于 {low} 处），否则 0",
    "1 where {a} was above {high}, else 0": "1（{a} 大于 {high} 处），否则 0",
    "1 where {a} {sign} {b}{same}, else 0": "1（{a} {sign} {b} 处）{same}，否则 0",
    "1 where {b} {sign} {a}{same}, else 0": "1（{b} {sign} {a} 处）{same}，否则 0",
    ", ½ where they are the same": "，½（相等处）",
    "1 where {condition}, else 0": "1（{condition} 成立处），否则 0",
    "0 where {condition}, else 1": "0（{condition} 成立处），否则 1",
    "{a} where {condition}, else {b}": "{a}（{condition} 成立处），否则 {b}",
    "1 where {mask}, else 0": "1（{mask} 为 True 处），否则 0",
    "0 where {mask}, else 1": "0（{mask} 为 True 处），否则 1",
    "{a} filled where {mask}": "{a} 在 {mask} 为 True 处被填充",
    "{a}, but {value} where {mask}": "{a}，但 {mask} 为 True 处取 {value}",
    "{a} within bounds": "{a} 限制在上下界内",
    "the larger of {a} and {b}": "{a} 与 {b} 中较大的",
    "the smaller of {a} and {b}": "{a} 与 {b} 中较小的",
    "∂relu(a)/∂a = 1 where a > 0, else 0": "∂relu(a)/∂a：a > 0 处为 1，否则为 0",
    "∂y/∂a = 1 where a > 0, else the slope n": "∂y/∂a：a > 0 处为 1，否则为斜率 n",
    "∂y/∂a = s where a > 0, else s·n·exp(a)": "∂y/∂a：a > 0 处为 s，否则为 s·n·exp(a)",
    "∂y/∂a = 1 where a > 0, else w; ∂y/∂w = 0 where a > 0, else a": (
        "∂y/∂a：a > 0 处为 1，否则为 w；∂y/∂w：a > 0 处为 0，否则为 a"
    ),
    "∂y/∂a = 1 where a lies between the bounds, else 0": "∂y/∂a：a 在上下界之间处为 1，否则为 0",
    "∂y/∂a = 1 where a lies between the bounds, else 0; the bound gets the rest": (
        "∂y/∂a：a 在上下界之间处为 1，否则为 0；其余归相应的界"
    ),
    "the one that was taken gets the gradient; where both are the same, each gets half": (
        "被取的那个得到梯度；两者相等处各得一半"
    ),
    "∂y/∂a = 1 where the condition holds, else 0; the other way round for b": (
        "∂y/∂a：条件成立处为 1，否则为 0；对 b 正好相反"
    ),
    "∂y/∂a = 0 where the mask is True, else 1": "∂y/∂a：掩码为 True 处是 0，否则是 1",
    "∂y/∂a = 0 where the mask is True, else 1; what it was filled with gets the rest": (
        "∂y/∂a：掩码为 True 处是 0，否则是 1；其余归填入的值"
    ),
    # functions
    "the sign of {a}": "{a} 的符号",
    "the sign of {a} where |{a}| is largest, else 0": "{a} 的符号（|{a}| 最大处），否则 0",
    "the sign of {a}·(|{a}|/{y})^{power}": "{a} 的符号·(|{a}|/{y})^{power}",
    "of the 2-norm: ∂‖a‖/∂aᵢ = aᵢ/‖a‖; of the 1-norm: the sign of aᵢ": "2-范数：∂‖a‖/∂aᵢ = aᵢ/‖a‖；1-范数：aᵢ 的符号",
    "{a} without its whole part": "{a} 的小数部分",
    "the whole part of {a}": "{a} 的整数部分",
    "{a} rounded down": "{a} 向下取整",
    "{a} rounded up": "{a} 向上取整",
    "{a} rounded": "{a} 四舍五入",
    "s·(1 + {a}·(1 - s)), with s = sigmoid({a})": "s·(1 + {a}·(1 - s))，其中 s = sigmoid({a})",
    "t + {a}·(1 - t²)·sigmoid({a}), with t = tanh(log(1 + exp({a})))": (
        "t + {a}·(1 - t²)·sigmoid({a})，其中 t = tanh(log(1 + exp({a})))"
    ),
    "(1 + t)/2 + {a}/2·(1 - t²)·√(2/π)·(1 + 0.134145·{a}²), with t = tanh({inner})": (
        "(1 + t)/2 + {a}/2·(1 - t²)·√(2/π)·(1 + 0.134145·{a}²)，其中 t = tanh({inner})"
    ),
    "∂gelu(a)/∂a = Φ(a) + a·φ(a), with Φ and φ of the normal distribution": (
        "∂gelu(a)/∂a = Φ(a) + a·φ(a)，其中 Φ 和 φ 属于正态分布"
    ),
    "y = a·t with t = tanh(log(1 + exp(a))): ∂y/∂a = t + a·(1 - t²)·sigmoid(a)": (
        "y = a·t，其中 t = tanh(log(1 + exp(a)))：∂y/∂a = t + a·(1 - t²)·sigmoid(a)"
    ),
    "y = p·sigmoid(q), with p and q the halves of a: sigmoid(q) for p, y·(1 - s) for q": (
        "y = p·sigmoid(q)，p 和 q 是 a 的两半：对 p 为 sigmoid(q)，对 q 为 y·(1 - s)"
    ),
    "p·sigmoid(q), with p and q the halves of {a}": "p·sigmoid(q)，p 和 q 是 {a} 的两半",
    "sigmoid(q) for p, p·sigmoid(q)·(1 - sigmoid(q)) for q": (
        "对 p 为 sigmoid(q)，对 q 为 p·sigmoid(q)·(1 - sigmoid(q))"
    ),
    "|{a}| with the sign of {b}": "|{a}| 配上 {b} 的符号",
    "1 where {a} kept its sign, else -1": "1（{a} 符号不变处），否则 -1",
    "∂y/∂a = 1 where the sign of a was kept, else -1": "∂y/∂a：a 符号不变处为 1，否则为 -1",
    "the rest of {a}/{b}": "{a}/{b} 的余数",
    "the rest of a division: ∂y/∂a = 1": "除法的余数：∂y/∂a = 1",
    "the rest of a division: ∂y/∂a = 1, ∂y/∂b = -a/b rounded": "除法的余数：∂y/∂a = 1，∂y/∂b = -a/b 取整",
    "{quotient} rounded down": "{quotient} 向下取整",
    "{quotient} rounded to zero": "{quotient} 向零取整",
    "{a}/{b} rounded": "{a}/{b} 取整",
    "a rounded quotient does not move with a: ∂y/∂a = 0": "取整后的商不随 a 变动：∂y/∂a = 0",
    "∂(a + n·(b - a))/∂a = 1 - n, by b: n": "∂(a + n·(b - a))/∂a = 1 - n，对 b：n",
    "∂(a + w·(b - a))/∂a = 1 - w, by b: w, by w: b - a": "∂(a + w·(b - a))/∂a = 1 - w，对 b：w，对 w：b - a",
    "∂(a + n·b·c)/∂a = 1, by b: n·c, by c: n·b": "∂(a + n·b·c)/∂a = 1，对 b：n·c，对 c：n·b",
    "∂(a + n·b/c)/∂a = 1, by b: n/c, by c: -n·b/c²": "∂(a + n·b/c)/∂a = 1，对 b：n/c，对 c：-n·b/c²",
    "∂(n·a)/∂a = n, for a number n": "∂(n·a)/∂a = n，n 是一个数",
    "∂(a + n)/∂a = 1, for a number n": "∂(a + n)/∂a = 1，n 是一个数",
    "{a} and a number": "{a} 与一个数",
    # sums and other reductions
    "sum of {a}": "{a} 之和",
    "mean of {a}": "{a} 的均值",
    "product of {a}": "{a} 之积",
    "the product of the others": "其余元素之积",
    "∂(a₁·a₂·…)/∂aᵢ = the product of the others": "∂(a₁·a₂·…)/∂aᵢ = 其余元素之积",
    "largest of {a}": "{a} 的最大值",
    "smallest of {a}": "{a} 的最小值",
    "median of {a}": "{a} 的中位数",
    "1 at the largest, else 0": "1（最大值处），否则 0",
    "1 at the smallest, else 0": "1（最小值处），否则 0",
    "1 at the median, else 0": "1（中位数处），否则 0",
    "1 at the largest, shared where several are the same, else 0": "1（最大值处，有并列时平分），否则 0",
    "1 at the smallest, shared where several are the same, else 0": "1（最小值处，有并列时平分），否则 0",
    "1 at the median, shared where several are the same, else 0": "1（中位数处，有并列时平分），否则 0",
    "the element that was taken gets the gradient; several that are the same share it": (
        "被取的元素得到梯度；有并列时平分"
    ),
    "variance of {a}": "{a} 的方差",
    "standard deviation of {a}": "{a} 的标准差",
    "variance and mean of {a}": "{a} 的方差和均值",
    "standard deviation and mean of {a}": "{a} 的标准差和均值",
    "G of the first·{word} + G of the mean/{n}": "前者的 G·{word} + 均值的 G/{n}",
    "both at once: what arrives at each of the two goes on as of itself, and is added up": (
        "两者一起：传到各自的梯度分别往下传，再相加"
    ),
    "log of the sum of exp({a})": "exp({a}) 之和的对数",
    "sum of {a} without nan": "{a} 之和（不计 nan）",
    "∂y/∂aᵢ = 1 where aᵢ is a number, 0 where it is nan": "∂y/∂aᵢ：aᵢ 是数处为 1，是 nan 处为 0",
    "smallest and largest of {a}": "{a} 的最小值和最大值",
    "smallest and largest get the gradients; several that are the same share them": (
        "最小值和最大值得到梯度；有并列时平分"
    ),
    "G of the one that it is, else 0": "它是其中哪个就得哪个的 G，否则 0",
    # along a dimension
    "y = softmax(a): grad(a) = y·(G - Σ y·G), the sum along the dimension": (
        "y = softmax(a)：grad(a) = y·(G - Σ y·G)，沿该维求和"
    ),
    "p = softmax(a): grad(a) = G - p·ΣG, the sum along the dimension": "p = softmax(a)：grad(a) = G - p·ΣG，沿该维求和",
    "each element gets the sum of the gradients from its place on": "每个元素得到从它的位置往后的梯度之和",
    "ΣG from its place on": "从它的位置往后的 ΣG",
    "running sum of {a}": "{a} 的累积和",
    "running product of {a}": "{a} 的累积积",
    "∂yⱼ/∂aᵢ = the product of the elements up to j but for aᵢ, from j = i on": (
        "∂yⱼ/∂aᵢ = 到 j 为止除 aᵢ 外各元素之积，从 j = i 起"
    ),
    "Σ G·the product of the others, from its place on": "从它的位置往后的 Σ G·其余元素之积",
    "∂yⱼ/∂aᵢ = exp(aᵢ - yⱼ) from j = i on": "∂yⱼ/∂aᵢ = exp(aᵢ - yⱼ)，从 j = i 起",
    "Σ G·exp({a} - {y}), from its place on": "从它的位置往后的 Σ G·exp({a} - {y})",
    "log of the running sum of exp({a})": "exp({a}) 的累积和的对数",
    "largest of {a} so far": "{a} 至今的最大值",
    "smallest of {a} so far": "{a} 至今的最小值",
    # losses
    "mean of {loss}": "{loss} 的均值",
    "sum of {loss}": "{loss} 之和",
    "-its weight": "-该类的权重",
    "{slope} at the class that {classes} says, else 0": "{slope}（{classes} 给出的类别处），否则 0",
    "∂/∂a = -1 at the class of each row, else 0 (of the mean: by n)": (
        "∂/∂a：每行的类别处为 -1，否则为 0（均值再除以 n）"
    ),
    "∂mean((p - t)²)/∂p = 2·(p - t)/n, of the sum 2·(p - t)": "∂mean((p - t)²)/∂p = 2·(p - t)/n，求和时为 2·(p - t)",
    "of d = p - t: ∂/∂p = d where it is small, else its sign (of the mean: by n)": (
        "记 d = p - t：∂/∂p 在 d 小处为 d，否则为 d 的符号（均值再除以 n）"
    ),
    "smoothed |{p} - {t}|": "平滑的 |{p} - {t}|",
    "({difference} within -{size} and {size}){below}": "({difference} 限制在 -{size} 到 {size} 之间){below}",
    "∂/∂p = (p - t)/(p·(1 - p)) (of the mean: by n)": "∂/∂p = (p - t)/(p·(1 - p))（均值再除以 n）",
    "∂/∂x = sigmoid(x) - t (of the mean: by n)": "∂/∂x = sigmoid(x) - t（均值再除以 n）",
    "∂/∂p = -t·sigmoid(-t·p) (of the mean: by n)": "∂/∂p = -t·sigmoid(-t·p)（均值再除以 n）",
    "-({t}·ln(s) + (1 - {t})·ln(1 - s)), with s = sigmoid({p})": (
        "-({t}·ln(s) + (1 - {t})·ln(1 - s))，其中 s = sigmoid({p})"
    ),
    "{before}((1 - {t})·s - {positive}·{t}·(1 - s)){below}, with s = sigmoid({p})": (
        "{before}((1 - {t})·s - {positive}·{t}·(1 - s)){below}，其中 s = sigmoid({p})"
    ),
    "-{before}({positive}·{t}·ln(s) + (1 - {t})·ln(1 - s)), with s = sigmoid({p})": (
        "-{before}({positive}·{t}·ln(s) + (1 - {t})·ln(1 - s))，其中 s = sigmoid({p})"
    ),
    # matrices
    "Y = C + A·B: grad(C) = G summed over what C was stretched to, {rules}": (
        "Y = C + A·B：grad(C) = G 在 C 被扩展的各处求和，{rules}"
    ),
    "Y = A·B for each of the batch: {rules}": "对批次中每一个 Y = A·B：{rules}",
    "Y = C + A·B for each of the batch: grad(C) = G, {rules}": "对批次中每一个 Y = C + A·B：grad(C) = G，{rules}",
    "{a}·{b} for each of the batch": "批次中每一个 {a}·{b}",
    "{by}{a}·{b} + {plus}{c} for each of the batch": "批次中每一个 {by}{a}·{b} + {plus}{c}",
    "y = A·v: grad(A) = G by each element of v, grad(v) = Aᵀ·G": "y = A·v：grad(A) = G 乘以 v 的各元素，grad(v) = Aᵀ·G",
    "y = c + A·v: grad(c) = G, grad(A) = G by each element of v, grad(v) = Aᵀ·G": (
        "y = c + A·v：grad(c) = G，grad(A) = G 乘以 v 的各元素，grad(v) = Aᵀ·G"
    ),
    "sum of {a}·{b}": "{a}·{b} 之和",
    "the inverse of {a}": "{a} 的逆",
    "1 on the diagonal, else 0": "1（对角线上），否则 0",
    "sum of the diagonal of {a}": "{a} 的对角线之和",
    "the sum of the diagonal: ∂y/∂a = 1 on the diagonal, else 0": "对角线之和：∂y/∂a 在对角线上为 1，否则为 0",
    "P = softmax({scores}, only of what came before)": "P = softmax({scores}，只看前面的)",
    "P·{v}, with {inner}": "P·{v}，其中 {inner}",
    "Pᵀ·G, with {inner}": "Pᵀ·G，其中 {inner}",
    "S·{k}/{root}, with S = P·(G·{v}ᵀ - its sum over P), {inner}": (
        "S·{k}/{root}，其中 S = P·(G·{v}ᵀ - 它按 P 加权之和)，{inner}"
    ),
    "Sᵀ·{q}/{root}, with S as for {q}, which comes of G": "Sᵀ·{q}/{root}，其中 S 与 {q} 处相同，由 G 得来",
    # normalizing
    "{by}/s, with s the running standard deviation": "{by}/s，其中 s 是滑动标准差",
    "(g - mean(g) - n·mean(g·n))/s, with g = {by}, n = ({a} - mean)/s, s = √(variance + small)": (
        "(g - mean(g) - n·mean(g·n))/s，其中 g = {by}，n = ({a} - 均值)/s，s = √(方差 + 小量)"
    ),
    "ΣG·n, with n = ({a} - mean)/s": "ΣG·n，其中 n = ({a} - 均值)/s",
    "y = n·w + b, n = (x - mean)/s: grad(x) = (g - mean(g) - n·mean(g·n))/s, with g = G·w": (
        "y = n·w + b，n = (x - 均值)/s：grad(x) = (g - mean(g) - n·mean(g·n))/s，其中 g = G·w"
    ),
    # windows
    "{a} convolved with {w}{plus}": "{a} 与 {w} 卷积{plus}",
    "ΣG·{w} over the windows that it is in": "对它所在的窗口求 ΣG·{w}",
    "ΣG·{a} over the places of the window": "对窗口的各个位置求 ΣG·{a}",
    "ΣG of its channel": "所在通道的 ΣG",
    "y = Σw·x over a window: grad(x) = ΣG·w, grad(w) = ΣG·x over all places of the window": (
        "在窗口上 y = Σw·x：grad(x) = ΣG·w，grad(w) = 对窗口的各个位置求 ΣG·x"
    ),
    "means of windows of {a}": "{a} 各窗口的均值",
    "ΣG/n over the windows that it is in": "对它所在的窗口求 ΣG/n",
    "the mean of n elements: each gets G/n from each window that it is in": (
        "n 个元素的均值：每个元素从所在的每个窗口得到 G/n"
    ),
    "largest of windows of {a}": "{a} 各窗口的最大值",
    "G where it was the largest of a window, else 0": "G（它是窗口最大值处），否则 0",
    "the largest element of each window gets its gradient, the others 0": "每个窗口的最大元素得到它的梯度，其余为 0",
    # shapes
    "{a} in shape {shape}": "{a} 变形为 {shape}",
    "G in shape {shape}": "G 变形为 {shape}",
    "the same numbers in another shape: grad(a) = G in the shape of a": "同样的数换个形状：grad(a) = G 变回 a 的形状",
    "copy of {a}": "{a} 的副本",
    "a copy: ∂y/∂a = 1": "副本：∂y/∂a = 1",
    "{a} in another dtype or place": "{a} 换了 dtype 或设备",
    "a copy: grad(a) = G in the dtype of a": "副本：grad(a) = 转成 a 的 dtype 的 G",
    "y was overwritten with a: ∂y/∂a = 1, and nothing goes to what y held before": (
        "y 被 a 覆盖：∂y/∂a = 1，y 原来的值得不到梯度"
    ),
    "{a} overwritten": "{a} 被覆盖",
    "overwritten: ∂y/∂a = 0": "被覆盖：∂y/∂a = 0",
    "{b} in all of {a}": "{a} 全部填为 {b}",
    "overwritten with b: ∂y/∂a = 0, grad(b) = the sum of G": "被 b 覆盖：∂y/∂a = 0，grad(b) = G 之和",
    "{a} stretched to {shape}": "{a} 扩展为 {shape}",
    "a was stretched: grad(a) = the sum of G over the places it was stretched to": (
        "a 被扩展：grad(a) = G 在扩展出的各处之和"
    ),
    "{a} repeated": "{a} 重复",
    "a was repeated: grad(a) = the sum of G over its copies": "a 被重复：grad(a) = 各副本的 G 之和",
    "the sum of G over its copies": "各副本的 G 之和",
    "{a} with dimensions {order}": "{a} 按维度 {order} 重排",
    "G with dimensions {order}": "G 按维度 {order} 重排",
    "dimensions change places: grad(a) = G with them put back": "维度互换：grad(a) = 把维度换回来的 G",
    "{a} turned round along {said}": "{a} 沿维度 {said} 翻转",
    "G turned round along {said}": "G 沿维度 {said} 翻转",
    "the order is turned round: grad(a) = G turned round in the same way": "次序翻转：grad(a) = 同样翻转的 G",
    # joined and taken apart
    "its piece of G": "G 中属于它的一段",
    "{parts} joined along dimension {dimension}": "{parts} 沿维度 {dimension} 拼接",
    "{parts} stacked along dimension {dimension}": "{parts} 沿维度 {dimension} 堆叠",
    "{a} split along dimension {dimension}": "{a} 沿维度 {dimension} 切分",
    "{a} taken apart along dimension {dimension}": "{a} 沿维度 {dimension} 拆开",
    "joined tensors: each gets its piece of G": "张量拼接：各得 G 中属于它的一段",
    "stacked tensors: each gets its piece of G": "张量堆叠：各得 G 中属于它的一段",
    "split into parts: grad(a) = their gradients joined, 0 for parts without": (
        "切成几部分：grad(a) = 各部分的梯度拼接，没有梯度的补 0"
    ),
    "taken apart: grad(a) = the gradients of the parts stacked, 0 for parts without": (
        "拆成几部分：grad(a) = 各部分的梯度堆叠，没有梯度的补 0"
    ),
    "G of the parts, side by side": "各部分的 G 并排放",
    # what was taken
    "{operation} of {a}": "{a} 的 {operation}",
    "all of {a}": "{a} 的全部",
    "some of {a}": "{a} 的一部分元素",
    "1 at {said}, else 0": "1（{said} 处），否则 0",
    "1 in {said}, else 0": "1（{said} 内），否则 0",
    "G put back where it was taken, else 0": "G 放回取出的位置，其余为 0",
    "G added up where it was taken, else 0": "G 累加到取出的位置，其余为 0",
    "G put back in its place, else 0": "G 放回原位，其余为 0",
    "one of many was taken: grad(a) = G put back in its place, else 0": "取其中一个：grad(a) = G 放回原位，其余为 0",
    "a slice: grad(a) = G put back in its place, else 0": "切片：grad(a) = G 放回原位，其余为 0",
    "elements were taken: grad(a) = G added up where each was taken, else 0": (
        "取出一些元素：grad(a) = G 累加到各自取出的位置，其余为 0"
    ),
    "the elements that were taken get the gradient, the others 0": "被取的元素得到梯度，其余为 0",
    # put elsewhere
    "the lower triangle of {a}": "{a} 的下三角",
    "the upper triangle of {a}": "{a} 的上三角",
    "G where {a} was kept, else 0": "G（{a} 保留处），否则 0",
    "one side of the diagonal: grad(a) = G there, else 0": "对角线的一侧：那一侧 grad(a) = G，其余为 0",
    "a diagonal of {a}": "{a} 的一条对角线",
    "G put back on the diagonal, else 0": "G 放回对角线，其余为 0",
    "a diagonal: grad(a) = G put back on it, else 0": "对角线：grad(a) = G 放回对角线，其余为 0",
    "{a} on a diagonal": "{a} 放在对角线上",
    "the diagonal of G": "G 的对角线",
    "a became a diagonal: grad(a) = the diagonal of G": "a 成为对角线：grad(a) = G 的对角线",
    "{a} rolled": "{a} 滚动",
    "G rolled back": "G 滚动回去",
    "elements moved round: grad(a) = G moved back": "元素循环移动：grad(a) = 移回去的 G",
    "{a} padded": "{a} 填充",
    "padded: grad(a) = {back}": "填充：grad(a) = {back}",
    "G added up where each was copied to": "各副本位置的 G 累加",
    "{a} enlarged": "{a} 放大",
    "each element was copied: grad(a) = the sum of G over its copies": "每个元素被复制：grad(a) = 各副本的 G 之和",
    "windows of {a}": "{a} 的窗口",
    "G added up over the windows": "各窗口的 G 累加",
    "windows of a: grad(a) = G added up over the windows that each is in": "a 的窗口：grad(a) = 所在各窗口的 G 累加",
    "{a} turned": "{a} 旋转",
    "G turned back": "G 转回去",
    "turned by quarters: grad(a) = G turned back": "旋转若干个直角：grad(a) = 转回去的 G",
    # written to
    "G, but 0 in {view}": "G，但 {view} 内为 0",
    "G, but G·{name} in {view}": "G，但 {view} 内为 G·{name}",
    "{whole}, with {equation} in {view}": "{whole}，其中 {view} 换成 {equation}",
    "G of {view}{by}": "{view} 的 G{by}",
    "a part was written to: the rest passes G on, the part what the write makes of it": (
        "写入了一部分：其余部分照传 G，这部分按写入的运算传"
    ),
    "G, but 0 at {where}": "G，但 {where} 处为 0",
    "G at {where}": "{where} 处的 G",
    "{whole}, with {value} added at {where}": "{whole}，并把 {value} 加到 {where} 处",
    "{whole}, with {value} stored at {where}": "{whole}，并把 {value} 存入 {where} 处",
    "a part of {whole}, from {start} on": "{whole} 从 {start} 起的一部分",
    "a part, seen anew after a write to it: grad(a) = G put back in its place, else 0": (
        "写入之后重新取的一部分：grad(a) = G 放回原位，其余为 0"
    ),
    "written to places: what was written gets G from there, what was overwritten 0": (
        "写入若干位置：写入的值得到那里的 G，被覆盖的得 0"
    ),
    "written where a mask holds: what was written gets G there, what was overwritten 0": (
        "写入掩码为 True 处：写入的值得到那里的 G，被覆盖的得 0"
    ),
    "G at the places that it was written to": "它写入的各位置的 G",
    "{a} with {what} added to it": "{a} 的若干位置加上 {what}",
    "{a} with {what} written to it": "{a} 的若干位置写入 {what}",
    "{a} with {name} where the mask holds": "{a} 在掩码为 True 处写入 {name}",
}
