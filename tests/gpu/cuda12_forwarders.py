"""Small libraries that let lightning.gpu, built for CUDA 12, run where CUDA 13 alone is installed.

In: a folder; gcc, no CUDA.  Out: build_forwarders() writes libcublas.so.12, libcublasLt.so.12, libnvJitLink.so.12.

lightning.gpu and cuStateVec call a dozen functions of cuBLAS, whose names and arguments are the same in both versions:
the first library hands them on to libcublas.so.13. Of the other two nothing is called; the loader only wants to find
them. cuSPARSE needs none, as CUDA 13's has the file name of CUDA 12's.
"""

import subprocess
from pathlib import Path

FUNCTIONS = (
    "Caxpy_v2", "Cdotc_v2", "Cgeam", "Create_v2", "Destroy_v2", "GemmEx", "Nrm2Ex", "ScalEx", "SetStream_v2",
    "Zaxpy_v2", "Zdotc_v2", "Zgeam",
)  # fmt: skip
MOST_ARGUMENTS = 20  # cublasGemmEx has 19; all are pointers, handles or integers, so that a word each will do
FIND = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
static void *look_up(const char *name) {
    static void *library;
    if (!library && !(library = dlopen("libcublas.so.13", RTLD_NOW | RTLD_LOCAL))) {
        fprintf(stderr, "%s\\n", dlerror());
        abort();
    }
    void *function = dlsym(library, name);
    if (!function) { fprintf(stderr, "%s\\n", dlerror()); abort(); }
    return function;
}
"""


def build_forwarders(folder: Path) -> None:
    """Compile the three libraries into `folder`.

    Raises:
        subprocess.CalledProcessError: gcc refuses them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"a{index}" for index in range(MOST_ARGUMENTS)]
    parameters, passed = ", ".join(f"long {name}" for name in names), ", ".join(names)
    calls = [
        f"long cublas{name}({parameters}) {{\n"
        f'    static long (*real)(); if (!real) real = look_up("cublas{name}");\n'
        f"    return real({passed});\n}}\n"
        for name in FUNCTIONS
    ]
    for library, code in (("cublas", FIND + "".join(calls)), ("cublasLt", ""), ("nvJitLink", "")):
        file = f"lib{library}.so.12"
        source, symbols = folder / f"{library}.c", folder / f"{library}.map"
        source.write_text(code + "\n")
        symbols.write_text(f"{file} {{ global: *; }};\n")  # the loader asks for symbols of this version
        command = ["gcc", "-shared", "-fPIC", "-std=gnu11", "-w", "-o", folder / file, source, "-ldl"]
        subprocess.run([*command, f"-Wl,-soname,{file}", f"-Wl,--version-script={symbols}"], check=True)
        source.unlink()
        symbols.unlink()
