"""Compiles the hot modules with mypyc while the package is built. What the package is stands in pyproject.toml.

All the modules that `[tool.redloop] compiled` names are compiled, or none. They are compiled where a C compiler and the headers of Python
are found; a build that cannot do it says why and goes on without: the same source then runs interpreted. REDLOOP_COMPILE=1 makes that an
error, REDLOOP_COMPILE=0 does not try. An editable install is left interpreted, lest an edit meet an older compiled module.
"""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from sysconfig import get_path
from typing import Any

from setuptools import setup
from setuptools._distutils.ccompiler import new_compiler
from setuptools._distutils.sysconfig import customize_compiler
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).parent
WISH = os.environ.get("REDLOOP_COMPILE", "")
JOBS = os.cpu_count() or 1


def say(text: str) -> None:
    """Tell the person who installs. pip shows the output of a build only with -v or when it fails, a terminal shows it anyway."""
    line = f"redloop: {text}\n"
    sys.stderr.write(line)
    with contextlib.suppress(OSError), open("/dev/tty", "w") as terminal:
        terminal.write(line)


def give_up(reason: str) -> None:
    if WISH == "1":
        raise SystemExit(f"redloop: not compiled, and REDLOOP_COMPILE=1 asks for it: {reason}")
    say(f"not compiled, its modules will run interpreted, which is slower and otherwise the same: {reason}")


def hot_modules() -> list[str]:
    facts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["redloop"]
    found = {glob: sorted((ROOT / "app").glob(glob)) for glob in facts["compiled"] + facts["interpreted"]}
    if unmatched := [glob for glob, paths in found.items() if not paths]:
        raise SystemExit(f"redloop: pyproject.toml names modules that do not exist: {', '.join(unmatched)}")
    left_out = {path for glob in facts["interpreted"] for path in found[glob]}
    chosen = [path for glob in facts["compiled"] for path in found[glob] if path not in left_out]
    return [str(path.relative_to(ROOT)) for path in chosen if path.name != "__init__.py"]


def try_the_compiler() -> None:
    """Raises what is wrong where a C file that wants Python's headers does not compile."""
    compiler = new_compiler()
    customize_compiler(compiler)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "probe.c")
        source.write_text("#include <Python.h>\n")
        compiler.compile([str(source)], output_dir=folder, include_dirs=[get_path("include"), get_path("platinclude")])


def translate() -> list[Any]:
    """The hot modules as C, one file for each, by mypyc."""
    modules = hot_modules()
    printed = io.StringIO()
    start = time.monotonic()
    try:
        try_the_compiler()
        say(f"compiling {len(modules)} modules with mypyc (REDLOOP_COMPILE=0 would leave them interpreted)")
        with contextlib.redirect_stdout(printed):
            from mypyc.build import mypycify

            options = ["--config-file=", "--no-site-packages", "--ignore-missing-imports"]
            extensions = mypycify([*options, *modules], multi_file=True, group_name="redloop", debug_level="0")
    except (Exception, SystemExit) as reason:
        give_up(printed.getvalue().strip() or f"{type(reason).__name__}: {reason}")
        return []
    for extension in extensions:
        # Another compiler's new warning is no reason to fail. What only our own modules call is called directly.
        kept = [flag for flag in extension.extra_compile_args if flag != "-Werror"]
        extension.extra_compile_args = kept if sys.platform == "win32" else [*kept, "-fvisibility=hidden"]
    say(f"types checked and C written in {time.monotonic() - start:.0f} s")
    return extensions


class Compile(build_ext):
    """Compiles on all cores, telling of each module, and leaves nothing half done."""

    def build_extensions(self) -> None:
        start = time.monotonic()
        self.parallel = JOBS
        self.compiler.compile = compile_side_by_side(self.compiler.compile)
        try:
            super().build_extensions()
        except Exception as reason:
            for output in self.get_outputs():
                Path(output).unlink(missing_ok=True)
            self.extensions.clear()
            give_up(f"{type(reason).__name__}: {reason}")
        else:
            say(f"compiled in {time.monotonic() - start:.0f} s")


def compile_side_by_side(compile_c: Callable[..., list[str]]) -> Callable[..., list[str]]:
    """A compiler's `compile` that works on several sources at a time, the longest first."""

    def compile_one(source: str, options: dict[str, Any]) -> list[str]:
        start = time.monotonic()
        objects = compile_c([source], **options)
        module = Path(source).stem.removeprefix("__native_").replace("___", ".")
        if module.startswith("redloop."):
            say(f"  {module}  {time.monotonic() - start:.1f} s")
        return objects

    def compile_all(sources: list[str], **options: Any) -> list[str]:
        by_length = sorted(sources, key=lambda source: -Path(source).stat().st_size)
        with ThreadPoolExecutor(JOBS) as pool:
            parts = pool.map(compile_one, by_length, [options] * len(sources))
        return [name for part in parts for name in part]

    return compile_all


compiling = WISH == "1" or (WISH != "0" and "editable_wheel" not in sys.argv)
building = {"bdist_wheel", "build_ext", "editable_wheel"} & set(sys.argv)
for leavings in (ROOT / "build").glob("lib*"):  # a module renamed since the last build would come along
    shutil.rmtree(leavings)
setup(cmdclass={"build_ext": Compile}, ext_modules=translate() if compiling and building else [])
