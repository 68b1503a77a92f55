"""CLI: the `trainingrun` command, and the same as `kubectl trainingrun`.

Each command is a module of `trainingrun.commands`. They import what takes long inside their functions, so that --help
answers at once.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any, Final

import typer
from typer.core import TyperGroup

from trainingrun.commands import (
    artifacts,
    check,
    compare,
    dashboard,
    doctor,
    estimate,
    freeing,
    get_model,
    init,
    logs,
    plan,
    plot,
    reproduce,
    restart_from,
    resume,
    retry,
    status,
    suspend,
    translate,
    version,
)
from trainingrun.commands.manifest import INTERRUPTED, MEANINGS, MISUSED, OK, CommandError
from trainingrun.commands.options import Kubeconfig, Kubecontext, Namespace

# In the order of --help; each adds itself by `register(app)`.
COMMANDS: Final[tuple[ModuleType, ...]] = (
    init, check, plan, translate, estimate, doctor,
    status, logs, plot, compare, dashboard, suspend, resume, retry, restart_from, freeing,
    artifacts, get_model, reproduce, version,
)  # fmt: skip
PROGRAM: Final = "trainingrun"
PLUGIN: Final = "kubectl trainingrun"
COMPLETE: Final = "_TRAININGRUN_COMPLETE"  # the variable by which typer's own completion scripts ask
NO_FILES: Final = ":4"  # kubectl's word for: offer no files besides
FILES: Final = ":0"


def main(arguments: Sequence[str] | None = None, program: str = PROGRAM) -> int:
    """Run a command and yield its exit code, one of commands.manifest.MEANINGS."""
    try:
        code = _code(arguments, program)
        sys.stdout.flush()
        return code
    except CommandError as error:
        print(error, file=sys.stderr)
        return error.code
    except BrokenPipeError:  # the reader of the output, for example head, has seen enough
        _drop_output()
        return OK


def kubectl() -> int:
    """`kubectl trainingrun`: kubectl starts the program kubectl-trainingrun with what follows."""
    return main(program=PLUGIN)


def kubectl_complete() -> int:
    """What kubectl's own completion asks for the words after `kubectl trainingrun`: a line for each way to go on.

    The last argument is the word to complete, which may be empty. The last line says whether files may follow, as
    cobra's completion has it.
    """
    words = [PROGRAM, *sys.argv[1:]]
    asked = {COMPLETE: "complete_bash", "COMP_WORDS": "\n".join(words), "COMP_CWORD": str(len(words) - 1)}
    os.environ.update(asked)
    found = _completions()
    print("\n".join([*found, NO_FILES if found else FILES]))
    return OK


def application() -> typer.Typer:
    """The whole command."""
    app = typer.Typer(
        cls=_Commands,
        name=PROGRAM,
        help="Train a language model from one manifest: look at it, follow its run, act on it.",
        epilog="Exit codes: " + "; ".join(f"{code} {meaning}" for code, meaning in MEANINGS.items()) + ".",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    for command in COMMANDS:
        command.register(app)
    app.callback()(_where)
    return app


def commands_table() -> str:
    """Markdown: every command with its arguments and what it does, as docs/cli.md has it."""
    from typer.main import get_command

    group: Any = get_command(application())
    lines = ["| command | what it does |", "| --- | --- |"]
    for name, command in group.commands.items():
        words = [str(one.metavar) for one in command.params if one.param_type_name == "argument"]
        lines.append(f"| `{' '.join([PROGRAM, name, *words])}` | {command.help.splitlines()[0]} |")
    return "\n".join(lines) + "\n"


class _ReaderGoneError(Exception):
    """A broken pipe, in a guise that typer does not make exit code 1 of."""


class _Commands(TyperGroup):
    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """What is left to parse. Where a command's help is asked for nothing is: for that typer imports pydantic."""
        command = self.commands.get(args[0]) if args and not ctx.resilient_parsing else None
        asked = args[: args.index("--")] if "--" in args else args
        if command and not isinstance(command, TyperGroup) and {*asked} & {*ctx.help_option_names}:
            print(command.get_help(type(ctx)(command, info_name=args[0], parent=ctx)), end="")
            ctx.exit()
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise _ReaderGoneError from error


def _code(arguments: Sequence[str] | None, program: str) -> int:
    given = None if arguments is None else list(arguments)
    try:
        outcome = application()(args=given, prog_name=program, standalone_mode=False)
    except _ReaderGoneError as error:
        raise BrokenPipeError from error
    except typer.Abort:  # a question that was answered with Ctrl-C or Ctrl-D
        print("Nothing was done.", file=sys.stderr)
        return INTERRUPTED
    except typer.TyperException as error:
        return _misused(error, program)
    return int(outcome or OK)


def _misused(error: typer.TyperException, program: str) -> int:
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else program
    said = error.format_message().replace("Value error, ", "")  # pydantic's way to begin
    if said:
        print(f"{said}\nTry '{path} --help'.", file=sys.stderr)
    return MISUSED


def _completions() -> list[str]:
    import contextlib
    import io

    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.suppress(SystemExit):
        application()(args=[], prog_name=PROGRAM, complete_var=COMPLETE)
    return [line for line in said.getvalue().splitlines() if line]


def _drop_output() -> None:
    """Let what is still to be written go nowhere, or Python complains of it when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _where(
    ctx: typer.Context, namespace: Namespace = None, context: Kubecontext = None, kubeconfig: Kubeconfig = None
) -> None:
    """Take the options that say where before the command as well, as kubectl does; those after it win."""
    given = {"namespace": namespace, "context": context, "kubeconfig": kubeconfig}
    group: Any = ctx.command
    ctx.default_map = {
        name: {option: value for option, value in given.items() if value is not None} for name in group.commands
    }


if __name__ == "__main__":
    sys.exit(main())
