#if defined(__FAST_MATH__)
#error "-ffast-math: the numbers would not be those of the library"
#endif
#if defined(FLT_EVAL_METHOD) && (FLT_EVAL_METHOD != 0) && (FLT_EVAL_METHOD != 16)
#error "floats that are computed wider than they are (x87): the numbers would not be those of the library"
#endif
#if (FLT_RADIX != 2) || (FLT_MANT_DIG != 24)
#error "floats that are not IEEE's of 32 bits"
#endif
#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#endif
