"""Failures by shapes, and values that are refused, in Chinese."""

SHAPES: dict[str, str] = {
    # tensors and their shapes
    "{name} (shape {shape})": "{name}（形状 {shape}）",
    "shape {shape}": "形状 {shape}",
    "{name} has shape {shape}": "{name} 的形状是 {shape}",
    "its input has shape {shape}": "它的输入形状是 {shape}",
    "a tensor of shape {shape}": "形状为 {shape} 的张量",
    "{given}.": "{given}。",
    "{first} and {last}": "{first} 和 {last}",
    "{first} or {last}": "{first} 或 {last}",
    ", {tensors}": "：{tensors}",
    "the matrix": "矩阵",
    "the vector": "向量",
    "the target": "目标",
    "the prediction": "预测",
    # element by element
    "Inside of `{code}`, two tensors meet element by element whose shapes do not go together: counted from the last "
    "dimension, two sizes must be equal, or one of them 1. Here {a} meets {b}.": (
        "在 `{code}` 内部，有两个张量逐元素运算，但形状对不上：从最后一维数起，两个大小必须相等，或其中一个为 1。"
        "这里 {a} 遇到 {b}。"
    ),
    "If the dimensions of {name} are those in front: {fix} has shape {shape}, which fits.": (
        "如果 {name} 的维度对应前面的维度：{fix} 的形状是 {shape}，就对得上。"
    ),
    # products
    "`{code}` multiplies two batches of matrices{tensors}: in front of the last two, counted from the last dimension, "
    "sizes must be equal, or one of them 1. Here {a} meets {b}.": (
        "`{code}` 把两批矩阵相乘{tensors}：最后两维之前的各维，从后往前数，大小必须相等，或其中一个为 1。这里 "
        "{a} 遇到 {b}。"
    ),
    "`{code}` multiplies {first} by {second}: the first must have as many columns ({inner}) as the second has rows "
    "({other}).": "`{code}` 用 {first} 乘以 {second}：前者的列数（{inner}）必须等于后者的行数（{other}）。",
    "If one of them lies the wrong way round: {fix} would fit.": "如果其中一个放反了：{fix} 就对得上。",
    "If it lies the wrong way round: {fix} would fit.": "如果它放反了：{fix} 就对得上。",
    "{layer} takes {wanted} numbers in each row, which is the last size of its input: {given}, so {count} in each.": (
        "{layer} 要求每行有 {wanted} 个数，即输入的最后一维：{given}，每行只有 {count} 个。"
    ),
    "`{code}` multiplies by the transposed weight, so the last sizes must be equal: {tensors}.": (
        "`{code}` 乘的是权重的转置，所以两者的最后一维必须相等：{tensors}。"
    ),
    "If each sample is to be one row, {fix} makes one of {row} numbers, and the layer for it is {layer}.": (
        "如果每个样本应当是一行，{fix} 会得到 {row} 个数的一行，对应的层是 {layer}。"
    ),
    "All of it in one row fits: {fix}.": "全部展成一行就对得上：{fix}。",
    "All but the first dimension in one row are {wanted}: write {fix}.": (
        "除第一维外全部展成一行正好是 {wanted} 个：请写 {fix}。"
    ),
    "All but the first dimension in one row are {wanted}: put {fix} before the layer.": (
        "除第一维外全部展成一行正好是 {wanted} 个：请在这一层前面放 {fix}。"
    ),
    "A layer for this input is {layer}.": "适合这个输入的层是 {layer}。",
    "`{code}` multiplies each row of {matrix} by {vector}: the vector must have {columns} elements, as many as the "
    "matrix has columns, and has {size}.": (
        "`{code}` 用 {matrix} 的每一行乘以 {vector}：向量必须有 {columns} 个元素，与矩阵的列数相同，实际有 {size} 个。"
    ),
    "`{code}` multiplies two vectors element by element and sums, so they must have the same number of elements: "
    "{tensors}.": "`{code}` 把两个向量逐元素相乘再求和，所以它们的元素个数必须相同：{tensors}。",
    "`{code}` takes two vectors, of one dimension each: {tensors}.": "`{code}` 需要两个一维的向量：{tensors}。",
    "The product of matrices is `{fix}`.": "矩阵乘法是 `{fix}`。",
    "`{code}` multiplies matrix by matrix: {tensors}.": "`{code}` 把矩阵逐个相乘：{tensors}。",
    "Those of the second must have as many rows as those of the first have columns: {inner}, not {rows}.": (
        "后者中矩阵的行数必须等于前者中矩阵的列数：应为 {inner}，而不是 {rows}。"
    ),
    "There must be as many in the second as in the first: {batch}, not {count}.": (
        "后者中矩阵的个数必须与前者相同：应为 {batch}，而不是 {count}。"
    ),
    "`{code}` multiplies each query by each key, so their last sizes must be equal: {tensors}.": (
        "`{code}` 用每个 query 乘以每个 key，所以它们的最后一维必须相等：{tensors}。"
    ),
    "`{code}` takes a tensor of {first} dimensions and one of {second}: {tensors}.": (
        "`{code}` 需要一个 {first} 维的张量和一个 {second} 维的张量：{tensors}。"
    ),
    "`{code}` is a product of matrices or vectors, and a tensor of shape [] is neither: {tensors}. Multiplied element "
    "by element it is `{fix}`.": (
        "`{code}` 是矩阵或向量的乘法，而形状为 [] 的张量两者都不是：{tensors}。逐元素相乘是 `{fix}`。"
    ),
    "`{code}` goes along the last dimension of both, so their last sizes must be equal: {tensors}.": (
        "`{code}` 沿着两者的最后一维计算，所以它们的最后一维必须相等：{tensors}。"
    ),
    "`{code}` takes square matrices, with as many rows as columns: {tensor}.": (
        "`{code}` 需要方阵，行数与列数相同：{tensor}。"
    ),
    "In `{code}` the letter {letter} stands for one size wherever it is, and it is {seen} and {size}: {tensors}.": (
        "在 `{code}` 中，字母 {letter} 处处代表同一个大小，这里却既是 {seen} 又是 {size}：{tensors}。"
    ),
    "`{code}` has {letters} letters for {tensor}, which has {dims} dimensions: it takes one letter for each.": (
        "`{code}` 给 {tensor} 写了 {letters} 个字母，而它有 {dims} 维：每一维写一个字母。"
    ),
    "`{code}` names {count} tensors before the arrow ({letters}), separated by commas, and gets {given}.": (
        "`{code}` 在箭头前面写了 {count} 个张量（{letters}），以逗号分隔，实际得到 {given} 个。"
    ),
    "In `{code}` the letter {letter} is behind the arrow and at no tensor before it, so it has no size.": (
        "在 `{code}` 中，字母 {letter} 只出现在箭头后面，前面的张量里没有它，所以它没有大小。"
    ),
    # joining
    "`{code}` joins along dimension {dim}, so every other size must be equal: {tensors}.": (
        "`{code}` 沿第 {dim} 维拼接，所以其他各维的大小必须相等：{tensors}。"
    ),
    "`{code}` joins along dimension {dim}, so every other size must be equal; one tensor has {wanted} where "
    "another has "
    "{size}.": "`{code}` 沿第 {dim} 维拼接，所以其他各维的大小必须相等；一个张量是 {wanted}，另一个是 {size}。",
    "They fit along dimension {dim}: dim={dim}.": "沿第 {dim} 维就对得上：dim={dim}。",
    "`{code}` joins tensors of the same number of dimensions: {tensors}.": (
        "`{code}` 拼接的张量维数必须相同：{tensors}。"
    ),
    "`{code}` joins tensors of the same number of dimensions, and one has {first}, another {second}.": (
        "`{code}` 拼接的张量维数必须相同，而一个有 {first} 维，另一个有 {second} 维。"
    ),
    "With one more dimension it fits: {fix}.": "再加一维就对得上：{fix}。",
    "`{code}` makes one tensor of several of the same shape: {tensors}. Where the sizes differ in one dimension only, "
    "torch.cat joins along it.": (
        "`{code}` 把几个形状相同的张量合成一个：{tensors}。如果只有一维的大小不同，可以用 torch.cat 沿这一维拼接。"
    ),
    "The loader stacks the samples of a batch into one tensor, so they must all have one shape: one has {first}, "
    "another {second}.": (
        "DataLoader 把一批样本堆叠成一个张量，所以它们的形状必须都相同：一个是 {first}，另一个是 {second}。"
    ),
    "Inside of `{code}`, tensors are stacked into one, so they must all have one shape: one has {first}, another "
    "{second}.": "`{code}` 内部把几个张量堆叠成一个，所以它们的形状必须都相同：一个是 {first}，另一个是 {second}。",
    "The loader makes a batch of the samples, and the lists in them are not all of one length.": (
        "DataLoader 把样本组成一批，而其中的列表长度不全相同。"
    ),
    "Bring them to one shape in the Dataset (by padding, cutting or resizing), or let the DataLoader keep them as a "
    "list: {fix}.": (
        "请在 Dataset 里把它们变成同样的形状（填充、裁剪或缩放），或者让 DataLoader 把它们保留为列表：{fix}。"
    ),
    "The loader makes tensors of what the Dataset gives, and in its samples is a {kind}, of which it can make none. "
    "Give tensors, numbers or lists of them there, or let the DataLoader keep the samples as a list: {fix}.": (
        "DataLoader 把 Dataset 给出的东西变成张量，而样本里有 {kind}，无法变成张量。"
        "请在那里给出张量、数或它们的列表，或者让 DataLoader 把样本保留为列表：{fix}。"
    ),
    "`{code}` takes one sample of each tensor at a time, so their first sizes must be equal: {tensors}.": (
        "`{code}` 每次从各个张量中取一个样本，所以它们的第一维必须相等：{tensors}。"
    ),
    "`{code}` takes the tensors as one list: `{fix}`.": "`{code}` 需要把张量放在一个列表里：`{fix}`。",
    "`{code}` takes a list of tensors, and element {place} of it, counted from 0, is a {kind}.": (
        "`{code}` 需要张量的列表，而其中第 {place} 个元素（从 0 数起）是 {kind}。"
    ),
    "`{code}` joins along a dimension, and a tensor of shape [] has none.": (
        "`{code}` 沿某一维拼接，而形状为 [] 的张量没有维度。"
    ),
    "Single numbers are put into one tensor by `{fix}`.": "要把单个的数合成一个张量，请写 `{fix}`。",
    "`{code}` joins the tensors of a list, and {name} is empty.": "`{code}` 拼接列表中的张量，而 {name} 是空的。",
    "`{code}` makes a tensor of nested lists, and in dimension {dim} they differ in length: {wanted}, and {size}. All "
    "must have the same.": (
        "`{code}` 用嵌套列表创建张量，而它们在第 {dim} 维长度不同：{wanted} 和 {size}。长度必须都相同。"
    ),
    "Filled up with zeros they are `{fix}`.": "用零补齐的写法是 `{fix}`。",
    "`{code}` makes a tensor of nested lists, and in one place there are lists as well as single numbers. All must be "
    "nested equally deep.": "`{code}` 用嵌套列表创建张量，而同一处既有列表又有单个的数。嵌套的层数必须相同。",
    "`{code}` makes a tensor of numbers, and is given a {kind} among them.": (
        "`{code}` 用数创建张量，而给它的值里有 {kind}。"
    ),
    # other shapes
    "`{code}` asks {given} for shape {shape}, and its {own} elements cannot be divided by {part}: what stands beside "
    "-1.": "`{code}` 要把 {given} 变成形状 {shape}，而它的 {own} 个元素不能被 {part}（-1 以外各维之积）整除。",
    "`{code}` asks {given} for shape {shape}, which is {other} elements; it has {own}, and must keep them all.": (
        "`{code}` 要把 {given} 变成形状 {shape}，那是 {other} 个元素；它有 {own} 个，必须全部保留。"
    ),
    "{fix} keeps the first dimension and puts the others in one: shape {shape}.": (
        "{fix} 保留第一维，把其余各维合成一维：形状 {shape}。"
    ),
    "`{code}` leaves several sizes open: -1 can stand for one only, which torch works out.": (
        "`{code}` 空着几个大小：-1 只能代表一个，由 torch 算出。"
    ),
    "view() gives the same memory another shape, and the elements of {given} do not lie one behind the other in it, as "
    "after a transpose. {fix} copies them where it must.": (
        "view() 给同一块内存换一个形状，而 {given} 的元素在内存中不是依次排列的，例如转置之后。{fix} 在必要时会复制。"
    ),
    "`{code}` spreads {given} to shape {target}: counted from the last dimension, each size must be equal, or 1 "
    "in what "
    "is spread. Here {own} is to become {wanted}.": (
        "`{code}` 把 {given} 扩展成形状 {target}：从最后一维数起，每个大小必须相等，或者被扩展的一方为 1。"
        "这里 {own} 要变成 {wanted}。"
    ),
    "Repeated as often as it takes it is {fix}.": "按需要的次数重复是 {fix}。",
    "`{target}` has shape {wide}, and `{value}`, which is written there, has shape {shape}: counted from the last "
    "dimension, its sizes must be equal, or 1.": (
        "`{target}` 的形状是 {wide}，而写进去的 `{value}` 形状是 {shape}：从最后一维数起，它的大小必须相等，或者为 1。"
    ),
    "`{target}` has shape {place}, and what is written there has shape {value}: counted from the last dimension, its "
    "sizes must be equal, or 1.": (
        "`{target}` 的形状是 {place}，而写进去的值形状是 {value}：从最后一维数起，它的大小必须相等，或者为 1。"
    ),
    "`{code}` must be given a number for each dimension of {given}, {count} at least.": (
        "`{code}` 必须给 {given} 的每一维一个数，至少 {count} 个。"
    ),
    "`{code}` must name every dimension of {given} once, in the new order: the numbers {numbers}.": (
        "`{code}` 必须按新的顺序把 {given} 的每一维各写一次，即 {numbers} 这些数。"
    ),
    "Two of them are exchanged by {fix}.": "交换其中两维用 {fix}。",
    "t() transposes a matrix, and {given} has {count} dimensions. {fix} exchanges the last two.": (
        "t() 转置的是矩阵，而 {given} 有 {count} 维。{fix} 交换最后两维。"
    ),
    "`{code}` puts a new dimension in at {dim}, and {given} has room for it from 0 to {last}, or from the end, from "
    "{first} to -1.": (
        "`{code}` 要在 {dim} 处插入新的一维，而 {given} 只能在 0 到 {last} 处插入，或者从末尾数 {first} 到 -1。"
    ),
    "`{code}` asks for dimension {dim}, and there are {count}: they are numbered from 0 to {last}, or from the end, "
    "from {first} to -1.": (
        "`{code}` 要用第 {dim} 维，而一共有 {count} 维：编号从 0 到 {last}，或者从末尾数 {first} 到 -1。"
    ),
    "`{code}` asks for dimension {dim}, and {given} has {count}: they are numbered from 0 to {last}, or from the end, "
    "from {first} to -1.": (
        "`{code}` 要用第 {dim} 维，而 {given} 有 {count} 维：编号从 0 到 {last}，或者从末尾数 {first} 到 -1。"
    ),
    "`{code}` asks for dimension {dim}, and {given} is a single number, without any.": (
        "`{code}` 要用第 {dim} 维，而 {given} 是单个的数，没有维度。"
    ),
    "`{code}` asks for a size that {given} does not have: {count} dimensions, numbered from 0.": (
        "`{code}` 要的大小 {given} 没有：一共 {count} 维，从 0 编号。"
    ),
    "`{code}` must give every element to a part: their sizes add up to {sum}, and must add up to {size}.": (
        "`{code}` 必须把每个元素分到某一份：各份大小加起来是 {sum}，应当是 {size}。"
    ),
    "`{code}` splits dimension {dim}, of size {size}, into {sizes}, which multiplied are {product}: they must be "
    "{size}.": "`{code}` 把大小为 {size} 的第 {dim} 维拆成 {sizes}，乘起来是 {product}：必须是 {size}。",
    "{given} has {count} sizes, and `{code}` takes {names}: there must be a name for each of them.": (
        "{given} 有 {count} 个大小，而 `{code}` 取 {names} 个：每个大小都要有一个名字。"
    ),
    "`{code}` takes {given} apart along its first dimension, so into {count}, and there are {names} names.": (
        "`{code}` 沿第一维把 {given} 拆成 {count} 个，而名字有 {names} 个。"
    ),
    "Along the second it is {fix}.": "沿第二维拆是 {fix}。",
    "nn.LSTM gives two things, the outputs and the state, which is a pair: `{fix}`.": (
        "nn.LSTM 返回两样东西：输出和状态，状态是一对：`{fix}`。"
    ),
    "{name} is a single number, a tensor of shape [], so it has no dimension to go along. {fix} gives it as a number "
    "of Python's.": "{name} 是单个的数，即形状为 [] 的张量，没有可以遍历的维度。{fix} 把它作为 Python 的数给出。",
    # layers
    "{layer} takes {wanted} channels, dimension {dim} of its input: {given}, so {own} channels.": (
        "{layer} 需要 {wanted} 个通道，即输入的第 {dim} 维：{given}，所以是 {own} 个通道。"
    ),
    "If its first dimension counts samples of one channel: {fix}.": "如果第一维是样本，每个样本一个通道：{fix}。",
    "If the channels are the last dimension: {fix}.": "如果通道在最后一维：{fix}。",
    "A layer for this input is made with {own} input channels.": "适合这个输入的层应当有 {own} 个输入通道。",
    "`{code}` takes {single} dimensions (channels first), or {batch} with one for the samples before them: {given}.": (
        "`{code}` 需要 {single} 维（通道在前），或者 {batch} 维（前面再加一维样本）：{given}。"
    ),
    "If it is one sample with one channel: {fix}.": "如果它是一个单通道的样本：{fix}。",
    "If it is one sample: {fix}.": "如果它是一个样本：{fix}。",
    "The kernel that `{code}` moves over its input has size {kernel}, and the input, with its padding, is only {size}. "
    "It takes a larger input, a smaller kernel, or a padding that is greater by {more}.": (
        "`{code}` 在输入上移动的卷积核大小是 {kernel}，而输入连同填充只有 {size}。"
        "需要更大的输入、更小的卷积核，或者把填充增加 {more}。"
    ),
    "The window of a pooling in `{code}` is larger than what reaches it: {size} in each of {channels} channels. It "
    "takes a larger input, or one pooling less.": (
        "`{code}` 中某个池化的窗口比到达它的输入还大：{channels} 个通道，每个 {size}。需要更大的输入，或者少一层池化。"
    ),
    "The window of a pooling in `{code}` is larger than what reaches it. It takes a larger input, or one pooling "
    "less.": ("`{code}` 中某个池化的窗口比到达它的输入还大。需要更大的输入，或者少一层池化。"),
    "{layer} takes {wanted} features, and its input has {own} (in dimension 1).": (
        "{layer} 需要 {wanted} 个特征，而它的输入有 {own} 个（第 1 维）。"
    ),
    "{layer} takes {wanted} features, dimension 1 of its input: {given}, so {own} features.": (
        "{layer} 需要 {wanted} 个特征，即输入的第 1 维：{given}，所以是 {own} 个特征。"
    ),
    "If the features are the last dimension: {fix}.": "如果特征在最后一维：{fix}。",
    "`{code}` takes an input of {wanted} dimensions, and gets one of {own}.": (
        "`{code}` 需要 {wanted} 维的输入，得到的是 {own} 维。"
    ),
    "{layer} normalizes the last dimensions, which must be {wanted}: {given}, so {own}.": (
        "{layer} 对最后几维做归一化，它们必须是 {wanted}：{given}，所以是 {own}。"
    ),
    "`{code}` splits {what} into {by} equal parts, so {what} must be a multiple of {by}.": (
        "`{code}` 把 {what} 平均分成 {by} 份，所以 {what} 必须是 {by} 的倍数。"
    ),
    "The recurrent layer in `{code}` was made for {wanted} numbers at each place of a sequence, the last size of its "
    "input, and that is {own}.": (
        "`{code}` 中的循环层要求序列的每个位置有 {wanted} 个数，即输入的最后一维，而实际是 {own}。"
    ),
    "{layer} was made for {wanted} numbers at each place of a sequence, the last size of its input: {given}.": (
        "{layer} 要求序列的每个位置有 {wanted} 个数，即输入的最后一维：{given}。"
    ),
    "A layer for this input has {argument}.": "适合这个输入的层应当写 {argument}。",
    "nn.{kind} takes 3 dimensions, or 2 for a single sequence, the features last: {given}.": (
        "nn.{kind} 需要 3 维，单个序列则是 2 维，特征在最后：{given}。"
    ),
    "nn.{kind} takes 3 dimensions, or 2 for a single sequence, the features last; it gets {own}.": (
        "nn.{kind} 需要 3 维，单个序列则是 2 维，特征在最后；得到的是 {own} 维。"
    ),
    "The state that `{code}` begins with must have shape {wanted} (layers, samples, size of the state), and one has "
    "{own}. For instance {zeros}.": (
        "`{code}` 的初始状态形状必须是 {wanted}（层数、样本数、状态大小），而有一个是 {own}。例如 {zeros}。"
    ),
    "The state that `{code}` begins with must have as many dimensions as its input, {wanted} ({order}), and has "
    "{own}.": ("`{code}` 的初始状态必须与输入的维数一致，即 {wanted} 维（{order}），而它是 {own} 维。"),
    "layers, samples, size of the state": "层数、样本数、状态大小",
    "layers, size of the state": "层数、状态大小",
    "The state that `{code}` is given must have {wanted} numbers for each sample, its last size, and has {own}.": (
        "给 `{code}` 的状态，每个样本必须有 {wanted} 个数（最后一维），而它有 {own} 个。"
    ),
    "`{code}` gets an input of {own} samples and a state of {state}: their first sizes must be equal.": (
        "`{code}` 的输入有 {own} 个样本，状态却有 {state} 个：它们的第一维必须相等。"
    ),
    "An LSTM begins with two states, as a pair: one for the output and one for the cell. With a cell of zeros: "
    "{fix}.": ("LSTM 以一对状态开始：一个是输出，一个是细胞状态。细胞状态为零时：{fix}。"),
    "The attention in `{code}` was made for {wanted} numbers at each place, the last size of its input: {own}.": (
        "`{code}` 中的注意力要求每个位置有 {wanted} 个数，即输入的最后一维，而实际是 {own}。"
    ),
    "The mask of `{code}` has a number for each query and each key, so shape {wanted}, not {own}.": (
        "`{code}` 的掩码对每个 query 和每个 key 各有一个数，所以形状是 {wanted}，而不是 {own}。"
    ),
    "The weight of `{code}` has a number for each class, so shape {wanted}, not {own}.": (
        "`{code}` 的 weight 对每个类别有一个数，所以形状是 {wanted}，而不是 {own}。"
    ),
    "`{code}` takes the number of a class for each place of each sample, so a target of shape {wanted} for a "
    "prediction "
    "with its classes in dimension 1: {tensors}.": (
        "`{code}` 对每个样本的每个位置需要一个类别编号；预测的类别在第 1 维，所以目标的形状应为 {wanted}：{tensors}。"
    ),
    # indices
    "`{code}` takes element {number} along a dimension of size {size}: its elements are numbered from 0 to {last}, or "
    "from the end, from -{size} to -1.": (
        "`{code}` 沿大小为 {size} 的一维取第 {number} 个元素：元素编号从 0 到 {last}，或者从末尾数 -{size} 到 -1。"
    ),
    "`{code}` takes the elements where the mask is True, along dimension {dim} and what follows it, so the mask must "
    "have the shape {wanted} of the tensor there; it has {mask}.": (
        "`{code}` 从第 {dim} 维起取掩码为 True 的元素，所以掩码必须与张量在那里的形状 {wanted} 相同；它是 {mask}。"
    ),
    "`{code}` takes an index with as many dimensions as the tensor: {tensors}.": (
        "`{code}` 的索引必须与张量的维数相同：{tensors}。"
    ),
    "For one element of each row, write {fix}.": "每行取一个元素，请写 {fix}。",
    "For one element of each column, write {fix}.": "每列取一个元素，请写 {fix}。",
    "`{code}` goes by the numbers in {index}, which holds {number}: along dimension {dim} there are {size} elements, "
    "numbered from 0 to {last}.": (
        "`{code}` 按 {index} 中的编号取元素，其中有 {number}：第 {dim} 维有 {size} 个元素，编号从 0 到 {last}。"
    ),
    "Along the other dimensions, the index of `{code}` must not be larger than the tensor: {tensors}.": (
        "在其他各维上，`{code}` 的索引不能比张量大：{tensors}。"
    ),
    "`{code}` has a number in the index for each element that is written, so the index must not be larger than what is "
    "written, nor, along the other dimensions, than the tensor: {tensors}.": (
        "`{code}` 的索引对每个要写入的元素有一个编号，所以它不能比写入的值大，在其他各维上也不能比张量大：{tensors}。"
    ),
    "`{code}` takes an index of one dimension, and {index} has {count}. In one row it is {fix}.": (
        "`{code}` 需要一维的索引，而 {index} 有 {count} 维。展成一行是 {fix}。"
    ),
    "`{code}` has a number in the index for each part that is added: {count} numbers, and {size} parts.": (
        "`{code}` 的索引对每个要加上的部分有一个编号：有 {count} 个编号，却有 {size} 个部分。"
    ),
    "`{code}` takes element {number} of {count}: they are numbered from 0 to {last}.": (
        "`{code}` 在 {count} 个元素中取第 {number} 个：编号从 0 到 {last}。"
    ),
    "`{code}` takes more elements than there are along that dimension: {tensor}.": (
        "`{code}` 要取的元素比那一维上的还多：{tensor}。"
    ),
    "`{code}` goes beyond the end of that dimension: {tensor}.": "`{code}` 超出了那一维的末尾：{tensor}。",
    "`{code}` pairs the indices element by element, so they must have one shape: {tensors}.": (
        "`{code}` 把几个索引逐元素配对，所以它们的形状必须相同：{tensors}。"
    ),
    # values and calls that are refused
    "A gradient without a weight for each element is that of a single number, and what `{code}` begins at has several. "
    "Make one of it first, by sum() or mean().": (
        "没有给出每个元素的权重时，只能对单个的数求梯度，而 `{code}` 的起点有多个元素。请先用 sum() 或 mean() "
        "变成一个数。"
    ),
    "{holds}, and without grad_outputs the gradient is that of a single number. Make one of it first, for instance "
    "{sum} or {mean}, or say how much each element counts by grad_outputs=, a tensor of the same shape.": (
        "{holds}，而没有 grad_outputs 时只能对单个的数求梯度。先把它变成一个数，例如 {sum} 或 {mean}；"
        "或者用 grad_outputs= 给出形状相同的张量，说明每个元素的权重。"
    ),
    "`{code}` takes probabilities, from 0 to 1, and {name} holds {number}.": (
        "`{code}` 需要 0 到 1 之间的概率，而 {name} 中有 {number}。"
    ),
    "`{code}` takes probabilities, from 0 to 1, and {name} holds other numbers.": (
        "`{code}` 需要 0 到 1 之间的概率，而 {name} 中有别的数。"
    ),
    "If these are the numbers of a last layer as they are (logits), the loss for them is {fix}.": (
        "如果这些是最后一层直接给出的数（logits），对应的损失是 {fix}。"
    ),
    "A gradient has the dtype of its tensor: {wanted}, not {given}.": (
        "梯度的 dtype 与它的张量相同：应为 {wanted}，而不是 {given}。"
    ),
    "A gradient is a tensor or None, not of type {kind}.": "梯度是张量或 None，不能是 {kind} 类型。",
    "Write `{fix}`.": "请写 `{fix}`。",
    "To clear it write `{fix}`.": "要清除它，请写 `{fix}`。",
    "{name} is a view of another tensor, and a view cannot be cut off in place: `{fix}`.": (
        "{name} 是另一个张量的视图，视图不能就地断开：`{fix}`。"
    ),
    "LBFGS works out the loss several times in one step, so {name}.step() takes a function: one that sets the "
    "gradients "
    "to zero, computes the loss, calls backward() on it and returns it. Then `{fix}`.": (
        "LBFGS 在一步中会多次计算损失，所以 {name}.step() 需要一个函数：它把梯度清零、计算损失、对它调用 "
        "backward() 并返回它。"
        "然后写 `{fix}`。"
    ),
    "LBFGS works out the loss by the function that {name}.step() is given, and that returned None: it must return the "
    "loss.": "LBFGS 用给 {name}.step() 的函数计算损失，而它返回了 None：它必须返回损失。",
    "{name}.step() goes by the gradients that are there, not by a loss: `{fix}`.": (
        "{name}.step() 依据的是已有的梯度，而不是损失：`{fix}`。"
    ),
}
