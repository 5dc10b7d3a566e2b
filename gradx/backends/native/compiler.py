"""LLVM at work: text to machine code, and machine code to functions that can be called.

Imported only by who asks for native code: llvmlite is the optional extra ``gradx[llvm]``.
"""

import hashlib
from threading import Lock

import llvmlite
import llvmlite.binding as llvm

from gradx.backends.native import library
from gradx.backends.native.storage import Store
from gradx.backends.native.values import Processor

llvm.initialize_native_target()
llvm.initialize_native_asmprinter()

CPU = llvm.get_host_cpu_name()
FEATURES = llvm.get_host_cpu_features().flatten()
_HAS = set(FEATURES.split(","))
_IS_ARM = llvm.get_default_triple().startswith(("aarch64", "arm64"))
PROCESSOR = Processor(
    fused_multiply_add="+fma" in _HAS or _IS_ARM,
    masked_moves={"+avx512bw", "+avx512vl"} <= _HAS,
)
# Two registers at once: one alone would wait for its own results.
VECTOR_BYTES = 128 if "+avx512f" in _HAS else 64
REGISTERS = 32 if "+avx512f" in _HAS or _IS_ARM else 16
REGISTER_BYTES = 64 if "+avx512f" in _HAS else 32 if "+avx" in _HAS else 16
# Cells become registers, loops end with their test, and what is known is computed once. All of -O2
# takes five times as long, and makes no better loops of a group: they are written in vectors.
PASSES = (
    "sroa",
    "simplify_cfg",
    "loop_simplify",
    "lcssa",
    "loop_rotate",
    "new_gvn",
    "instruction_combine",
    "simplify_cfg",
    "dead_code_elimination",
)
# What machine code depends on beside its source.
SETTING = "\n".join(
    [llvmlite.__version__, ".".join(map(str, llvm.llvm_version_info)), CPU, FEATURES]
)

_lock = Lock()  # LLVM's objects here are not for two threads at once
_kept: list[object] = []  # what functions live in


def _machine() -> llvm.TargetMachine:
    target = llvm.Target.from_default_triple()
    return target.create_target_machine(
        cpu=CPU, features=FEATURES, opt=3, reloc="pic", codemodel="jitdefault", jit=True
    )


def translate(source: str, passes: tuple[str, ...] = ()) -> bytes:
    """Compile LLVM's text to the machine code of this processor, as an object file.

    It goes through ``passes``, or all of -O2.
    """
    machine = _machine()
    module = llvm.parse_assembly(source)
    module.verify()
    builder = llvm.create_pass_builder(machine, llvm.PipelineTuningOptions(speed_level=2))
    manager = llvm.create_new_module_pass_manager() if passes else builder.getModulePassManager()
    for name in passes:
        getattr(manager, f"add_{name}_pass")()
    manager.run(module, builder)
    return machine.emit_object(module)


def addresses(
    source: str, names: tuple[str, ...], store: Store | None, passes: tuple[str, ...] = ()
) -> tuple[int, ...]:
    """Compile, or find what was compiled before, and return where functions begin."""
    key = hashlib.sha256("\n".join([SETTING, *passes, source]).encode()).hexdigest()
    with _lock:
        code = store.read(key) if store else None
        if code is None:
            code = translate(source, passes)
            if store:
                store.write(key, code)
        return _load(code, names, key)


def _load(code: bytes, names: tuple[str, ...], key: str) -> tuple[int, ...]:
    jit = llvm.create_lljit_compiler(_machine())
    builder = llvm.JITLibraryBuilder().add_object_img(code).add_current_process()
    for name, address in library.symbols().items():
        builder.import_symbol(name, address)
    for name in names:
        builder.export_symbol(name)
    linked = builder.link(jit, key)
    _kept.append((jit, linked))
    return tuple(linked[name] for name in names)
