"""Arguments of operations that drawing by the schema does not find, and the reasons where there are none.

A hint is the text of an argument, or a short form of a tensor: `f2x3` is a float32 tensor of shape [2, 3], `l` is
int64, `i` is int32. Of an argument that is `out` it is the dtype.
"""

from __future__ import annotations

import re

_NORM = "input=f2x3 weight=f3 bias=f3 running_mean=f3 running_var=f3 training=True train=True momentum=0.1 eps=1e-5"
_CONV2 = "self=f1x1x3x3 input=f1x1x3x3 weight=f1x1x2x2 kernel_size=[2,2] stride=[1,1] padding=[0,0] bias=None"
_CONV1 = (
    "input=f1x1x3 weight=f1x1x2 bias=f1 bias_sizes=[1] stride=[1] padding=[0] dilation=[1] transposed=False"
    " output_padding=[0] groups=1"
)
_UP1 = "grad_output=f1x1x2 output_size=[2] input_size=[1,1,3] align_corners=False"
_UP2 = "grad_output=f1x1x2x2 output_size=[2,2] input_size=[1,1,3,3] align_corners=False"
_UP3 = "grad_output=f1x1x2x2x2 output_size=[2,2,2] input_size=[1,1,3,3,3] align_corners=False"
_GRID2 = "input=f1x1x3x3 grid=f1x2x2x2 grad_output=f1x1x2x2 interpolation_mode=0 padding_mode=0 align_corners=False"
_GRID3 = "input=f1x1x3x3x3 grid=f1x2x2x2x3 grad_output=f1x1x2x2x2 interpolation_mode=0 padding_mode=0"
_NLL = "self=f2x3 target=torch.tensor([0,2]) weight=None reduction=1 ignore_index=-100 grad_output=f total_weight=f"
_NLL2 = (
    "self=f1x2x2x2 target=torch.tensor([[[0,1],[1,0]]]) weight=None reduction=1 ignore_index=-100 grad_output=f"
    " total_weight=f"
)
_FRACTIONAL = "kernel_size=[2,2] output_size=[2,2] self=f1x4x4 random_samples=f1x1x2 grad_output=f1x2x2"
_FRACTIONAL3 = "kernel_size=[2,2,2] output_size=[2,2,2] self=f1x4x4x4 random_samples=f1x1x3 grad_output=f1x2x2x2"
_PIVOTS = "torch.tensor([1,2],dtype=torch.int32)"
_STORAGE = "self=f2 source=torch.tensor([9.0,8.0]).untyped_storage() storage_offset=0 size=[2] stride=[1]"
_FUSED = "lr=0.1 amsgrad=False max_exp_avg_sqs=[] maximize=False grad_scale=None found_inf=None"
_BAG = "weight=f3x2 indices=torch.tensor([0,2,1,1]) offsets=torch.tensor([0,2]) mode=0 per_sample_weights=None"
_GROUP = "input=f1x2x3 grad_out=f1x2x3 mean=f1x1 rstd=f1x1 weight=f2 bias=f2 N=1 C=2 HxW=3 group=1 eps=1e-5"

HINTS = {
    "aten::_amp_update_scale.out": "self=f1 growth_tracker=i1 found_inf=f1",
    "aten::_batch_norm_no_update.out": _NORM,
    "aten::_convert_indices_from_csr_to_coo.out": (
        "crow_indices=torch.tensor([0,1,2]) col_indices=torch.tensor([0,1]) out=int64 out_int32=False"
    ),
    "aten::_ctc_loss.Tensor_out": (
        "log_probs=f4x1x3 targets=torch.tensor([[1,2]]) input_lengths=torch.tensor([4])"
        " target_lengths=torch.tensor([2])"
        " blank=0 zero_infinity=False"
    ),
    "aten::_embedding_bag.out": f"{_BAG} out0=float32 out1=int64 out2=int64 out3=int64",
    "aten::_embedding_bag_forward_only.out": f"{_BAG} out0=float32 out1=int64 out2=int64 out3=int64",
    "aten::_fake_quantize_per_tensor_affine_cachemask_tensor_qparams.out": (
        "self=f2x3 scale=f1 zero_point=i1 fake_quant_enabled=f1 quant_min=0 quant_max=255 out0=float32 out1=bool"
    ),
    "aten::_foreach_addcdiv.Tensor_out": "self=[f2,f3] tensor1=[f2,f3] tensor2=[f2,f3] scalars=f2",
    "aten::_foreach_addcdiv_.Tensor": "self=[f2,f3] tensor1=[f2,f3] tensor2=[f2,f3] scalars=f2",
    "aten::_foreach_addcmul.Tensor_out": "self=[f2,f3] tensor1=[f2,f3] tensor2=[f2,f3] scalars=f2",
    "aten::_foreach_addcmul_.Tensor": "self=[f2,f3] tensor1=[f2,f3] tensor2=[f2,f3] scalars=f2",
    "aten::_fused_adamw_": _FUSED,
    "aten::_fused_adam.out": _FUSED,
    "aten::_grid_sampler_2d_cpu_fallback.out": _GRID2,
    "aten::_histogramdd_from_bin_tensors.out": (
        "self=f4x2 bins=[torch.tensor([0.0,1.0,2.0]),torch.tensor([0.0,1.0,2.0])] weight=None"
    ),
    "aten::_int_mm.out": (
        "self=torch.ones(3,2,dtype=torch.int8) mat2=torch.ones(2,3,dtype=torch.int8)"
        " out=torch.full((3,3),7,dtype=torch.int32)"
    ),
    "aten::_linalg_slogdet.sign": "A=f2x2 sign=float32 logabsdet=float32 LU=float32 pivots=int32",
    "aten::_native_batch_norm_legit.no_stats_out": _NORM,
    "aten::_native_batch_norm_legit_no_training.out": _NORM,
    "aten::_pack_padded_sequence.out": "input=f3x2x1 lengths=torch.tensor([3,2]) batch_first=False",
    "aten::_slow_conv2d_backward.grad_input": f"{_CONV2} grad_output=f1x1x2x2",
    "aten::_slow_conv2d_backward.output_mask_out": f"{_CONV2} grad_output=f1x1x2x2",
    "aten::_slow_conv2d_forward.output": _CONV2,
    "aten::_softmax.out": "self=f2x3 dim=0 half_to_float=False out=float32",
    "aten::_log_softmax.out": "self=f2x3 dim=0 half_to_float=False out=float32",
    "aten::_sobol_engine_initialize_state_": "self=torch.zeros(2,30,dtype=torch.int64) dimension=2",
    "aten::_transform_bias_rescale_qkv.out": "qkv=f1x2x6 qkv_bias=f6 num_heads=1",
    "aten::_trilinear.out": "i1=f2x2 i2=f2x2 i3=f2x2 expand1=[] expand2=[] expand3=[] sumdim=[0] unroll_dim=0",
    "aten::_upsample_bilinear2d_aa_backward.grad_input": _UP2,
    "aten::_upsample_bicubic2d_aa_backward.grad_input": _UP2,
    "aten::_upsample_lanczos2d_aa_backward.grad_input": _UP2,
    "aten::_upsample_nearest_exact1d_backward.grad_input": _UP1,
    "aten::_upsample_nearest_exact2d_backward.grad_input": _UP2,
    "aten::_upsample_nearest_exact3d_backward.grad_input": _UP3,
    "aten::adaptive_max_pool3d.out": "self=f1x2x2x2 output_size=[1,1,1] out=float32 indices=int64",
    "aten::addmv.out": "self=f2 mat=f2x3 vec=f3 out=float32",
    "aten::addmv_": "self=f2 mat=f2x3 vec=f3",
    "aten::addr_": "self=f2x3 vec1=f2 vec2=f3",
    "aten::affine_grid_generator.out": "theta=f1x2x3 size=[1,1,2,2] align_corners=False",
    "aten::ccol_indices_copy.out": "self=torch.eye(2).to_sparse_csc() out=int64",
    "aten::convolution.out": _CONV1,
    "aten::convolution_backward.out": f"{_CONV1} grad_output=f1x1x2 output_mask=[True,True,True]",
    "aten::crow_indices_copy.out": "self=torch.eye(2).to_sparse_csr() out=int64",
    "aten::fake_quantize_per_channel_affine_cachemask.out": (
        "self=f2x3 scale=f2 zero_point=torch.zeros(2,dtype=torch.int32) axis=0 quant_min=0 quant_max=255 out0=float32"
        " out1=bool"
    ),
    "aten::fractional_max_pool2d.output": f"{_FRACTIONAL} output=float32 indices=int64",
    "aten::fractional_max_pool2d_backward.grad_input": f"{_FRACTIONAL} indices=torch.tensor([[[0,3],[8,15]]])",
    "aten::fractional_max_pool3d.output": f"{_FRACTIONAL3} output=float32 indices=int64",
    "aten::fractional_max_pool3d_backward.grad_input": (
        f"{_FRACTIONAL3} indices=torch.arange(8,dtype=torch.int64).reshape(1,2,2,2)"
    ),
    "aten::glu_backward_jvp.out": "grad_x=f4 grad_glu=f2 x=f4 dgrad_glu=f2 dx=f4 dim=0",
    "aten::grid_sampler_2d.out": _GRID2,
    "aten::grid_sampler_3d.out": f"{_GRID3} align_corners=False",
    "aten::grid_sampler_3d_backward.out": f"{_GRID3} align_corners=False output_mask=[True,True]",
    "aten::hash_tensor.out": "self=f3 out=uint64",
    "aten::linalg_cholesky_ex.L": "self=f2x2 L=float32 info=int32",
    "aten::linalg_cond.p_str_out": "self=f2x2 p='fro' out=float32",
    "aten::linalg_householder_product.out": "input=f3x2 tau=f2 out=float32",
    "aten::linalg_ldl_factor_ex.out": "self=f2x2 LD=float32 pivots=int32 info=int32",
    "aten::linalg_ldl_solve.out": f"LD=f2x2 pivots={_PIVOTS} B=f2x1 out=float32",
    "aten::linalg_lu_solve.out": f"LU=f2x2 pivots={_PIVOTS} B=f2x1 out=float32",
    "aten::linalg_norm.ord_str_out": "self=f2x2 ord='fro' dim=None out=float32 dtype=None",
    "aten::lu_solve.out": f"self=f2x1 LU_data=f2x2 LU_pivots={_PIVOTS} out=float32",
    "aten::native_batch_norm.out": _NORM,
    "aten::native_batch_norm_backward.out": (
        f"{_NORM} grad_out=f2x3 save_mean=f3 save_invstd=f3 output_mask=[True,True,True]"
    ),
    "aten::native_group_norm.out": _GROUP,
    "aten::native_group_norm_backward.out": f"{_GROUP} output_mask=[True,True,True]",
    "aten::native_layer_norm_backward.out": (
        "grad_out=f2x3 input=f2x3 normalized_shape=[3] mean=f2x1 rstd=f2x1 weight=f3 bias=f3"
        " output_mask=[True,True,True]"
    ),
    "aten::nll_loss2d.out": _NLL2,
    "aten::nll_loss2d_backward.grad_input": _NLL2,
    "aten::nll_loss2d_forward.output": f"{_NLL2} output=float32 total_weight=float32",
    "aten::nll_loss_backward.grad_input": _NLL,
    "aten::nll_loss_forward.output": f"{_NLL} output=float32 total_weight=float32",
    "aten::orgqr.out": "self=f3x2 input2=f2 out=float32",
    "aten::ormqr.out": "self=f3x2 input2=f2 input3=f3x2 left=True transpose=False out=float32",
    "aten::retain_grad": "self=torch.tensor([1.0]).requires_grad_()*2",
    "aten::row_indices_copy.out": "self=torch.eye(2).to_sparse_csc() out=int64",
    "aten::set_.source_Storage": _STORAGE,
    "aten::set_.source_Storage_storage_offset": _STORAGE,
    "aten::slow_conv3d_forward.output": (
        "self=f1x1x2x2x2 weight=f1x1x2x2x2 kernel_size=[2,2,2] bias=None stride=[1,1,1] padding=[0,0,0]"
    ),
    "aten::thnn_conv2d.out": _CONV2,
    "aten::upsample_bicubic2d_backward.grad_input": _UP2,
    "aten::upsample_bilinear2d_backward.grad_input": _UP2,
    "aten::upsample_linear1d_backward.grad_input": _UP1,
    "aten::upsample_nearest1d_backward.grad_input": _UP1,
    "aten::upsample_nearest2d_backward.grad_input": _UP2,
    "aten::upsample_nearest3d_backward.grad_input": _UP3,
    "aten::upsample_trilinear3d_backward.grad_input": _UP3,
    "aten::_convolution.out": (
        f"{_CONV1} benchmark=False deterministic=False cudnn_enabled=False allow_tf32=False out=float32"
    ),
    "aten::_ctc_loss.out": (
        "log_probs=f4x1x3 targets=torch.tensor([[1,2]]) input_lengths=[4] target_lengths=[2] blank=0"
        " zero_infinity=False"
    ),
    "aten::_fake_quantize_learnable_per_channel_affine.out": (
        "self=f2x3 scale=f2 zero_point=f2 axis=0 quant_min=0 quant_max=255 grad_factor=1.0 out=float32"
    ),
    "aten::_histogramdd_bin_edges.out": "self=f4x2 bins=[2,2] range=None weight=None density=False",
    "aten::_linalg_solve_ex.result": (
        "A=f2x2 B=f2x1 left=True check_errors=False result=float32 LU=float32 pivots=int32 info=int32"
    ),
    "aten::_upsample_bicubic2d_aa.out": "self=f1x1x3x3 output_size=[2,2] align_corners=False",
    "aten::col2im.out": (
        "self=f1x4x4 output_size=[3,3] kernel_size=[2,2] dilation=[1,1] padding=[0,0] stride=[1,1] out=float32"
    ),
    "aten::diagonal_scatter.out": "self=f3x3 src=f3 offset=0 dim1=0 dim2=1 out=float32",
    "aten::glu_backward.grad_input": "grad_output=f2 self=f4 dim=0 grad_input=float32",
    "aten::glu_jvp.out": "glu=f2 x=f4 dx=f4 dim=0 out=float32",
    "aten::grid_sampler_2d_backward.out": f"{_GRID2} output_mask=[True,True]",
    "aten::linalg_tensorinv.out": "self=f2x2 ind=1 out=float32",
    "aten::multi_margin_loss_backward.grad_input": (
        "grad_output=f self=f2x3 target=torch.tensor([0,2]) p=1 margin=1 weight=None reduction=1 grad_input=float32"
    ),
    "aten::multilabel_margin_loss_backward.grad_input": (
        "grad_output=f self=f3 target=torch.tensor([0,2,-1]) reduction=1 is_target=f3 grad_input=float32"
    ),
    "aten::native_layer_norm.out": "input=f2x3 normalized_shape=[3] weight=f3 bias=f3 eps=1e-5",
    "aten::segment_reduce.out": "data=f4 reduce='sum' lengths=torch.tensor([1,3]) indices=None offsets=None axis=0",
    "aten::slow_conv_dilated3d.out": (
        "self=f1x1x2x2x2 weight=f1x1x2x2x2 kernel_size=[2,2,2] bias=None stride=[1,1,1] padding=[0,0,0]"
        " dilation=[1,1,1]"
    ),
    "aten::upsample_nearest1d.out": "self=f1x1x3 output_size=[2] scales=None",
    "aten::upsample_nearest3d.out": "self=f1x1x3x3x3 output_size=[2,2,2] scales_d=None scales_h=None scales_w=None",
    "aten::view_as_complex_copy.out": "self=f2x2 out=complex64",
}

UNDETERMINED = {
    "memory that nobody has written to": [
        "aten::empty.memory_format_out", "aten::empty.names_out", "aten::empty_like.out", "aten::empty_permuted.out",
        "aten::empty_strided.out", "aten::new_empty.out", "aten::new_empty_strided.out", "aten::resize.out",
        "aten::linalg_lstsq.out", "aten::_weight_norm_interface.out",
    ],
    "an operation for torch alone, which writes beyond an `out` that is not as it wants": ["aten::_logcumsumexp.out"],
}  # fmt: skip
"""What these leave in `out` is not the same in two runs."""


NO_KERNEL = "torch has no kernel for it on the CPU"
WITHOUT = {
    "needs a process group": r"(_c10d_functional|symm_mem)::",
    "needs tensors packed for mkldnn or onednn": r"(prim::MKLDNN|mkldnn::|onednn::|aten::(to_)?mkldnn)",
    "needs weights packed for fbgemm": r"aten::fbgemm_",
    "needs a kernel that this processor or build has not": (
        r"aten::(_nnpack_|_pin_memory|convolution_overrideable|convolution_backward_overrideable|_scaled_mm)"
    ),
    "needs an `out` that is sparse, which draws do not make": (
        r"aten::(_to_sparse|sparse_coo_tensor|sspaddmm|indices_copy|_spdiags)"
    ),
    "needs an `out` that is quantized, which draws do not make": (
        r"aten::(quantize_per|_empty_affine|_empty_per_channel|_make_per)"
    ),
    "takes names of dimensions, and has an overload that takes their numbers": (
        r"aten::\w+\.\w*([dD]imname|names_|names$)"
    ),
    "gives nested tensors": r"aten::_nested_",
    "is a fast path of nn.Transformer": r"aten::(_native_multi_head_attention|_transformer_encoder_layer_fwd)",
    "is of forward-mode differentiation, where there is none": r"aten::(_fw_primal_copy|_make_dual_copy)",
    "takes a storage, but gives a tensor that shares it": r"aten::set\.source_Storage",
    "is called by torch alone, with arguments that belong together": (
        r"aten::(_sobol_engine_scramble_|_ctc_loss_backward|_embedding_bag_per_sample|_batch_norm_with_update\.out"
        r"|split_copy|_coalesced_$|quantized_)"
    ),
}
"""Why an operation has no arguments here, and the operations: what their names begin with."""


def without_arguments(name: str, why: str) -> str | None:
    """Why an operation has no arguments here; None where nothing excuses that."""
    if "from the 'CPU' backend" in why or why == NO_KERNEL:
        return NO_KERNEL
    return next((reason for reason, pattern in WITHOUT.items() if re.match(pattern, name)), None)
