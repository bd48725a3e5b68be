// The kernel that every processor can run.
#include "kernel_table.h"

#define VECTOR_BYTES 16
#define NAME baseline

#include "kernel.h"
