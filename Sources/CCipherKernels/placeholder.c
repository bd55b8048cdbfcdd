#include "CCipherKernels.h"
