/* The functions whose names are those of the C library follow FreeBSD's, as does the library that wrote this file:

   Copyright (C) 1993 by Sun Microsystems, Inc. All rights reserved.
   Developed at SunPro, a Sun Microsystems, Inc. business. Permission to use, copy, modify, and distribute this software is
   freely granted, provided that this notice is preserved. */
