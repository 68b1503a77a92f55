"""What this machine needs for reaching package indexes, handed to builds as secrets so that no image keeps it."""

import ast
import os
import ssl
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_PIP_KEYS: Final = ("index-url", "extra-index-url", "trusted-host", "proxy", "timeout", "retries")
_CA_VARIABLES: Final = ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
_PROXY_VARIABLES: Final = ("http_proxy", "https_proxy", "no_proxy")
_LARGEST_SECRET: Final = 500 * 1024  # BuildKit's limit


def write(folder: Path) -> dict[str, Path]:
    """Write the secrets into `folder`: id -> file, of `pip`, `ca` and `apt` those that this machine has."""
    found: dict[str, Path] = {}
    bundle = certificates(os.environ)
    if bundle:
        found["ca"] = bundle
    found["pip"] = folder / "pip"
    found["pip"].write_text(pip_configuration(_pip_config_list(), with_certificates=bundle is not None))
    sources = apt_sources()
    if sources:
        found["apt"] = folder / "apt"
        found["apt"].write_text("\n".join(path.read_text() for path in sources))
    return found


def pip_configuration(listed: str, *, with_certificates: bool) -> str:
    """A pip.conf for builds out of what `pip config list` printed: where packages come from, and nothing else."""
    values: dict[str, str] = {}
    for line in listed.splitlines():
        key, _, value = line.partition("=")
        name = key.rpartition(".")[2].lower()
        if name in _PIP_KEYS:
            values[name] = str(ast.literal_eval(value)).replace("\n", "\n    ")
    if with_certificates:
        values["cert"] = "/run/secrets/ca"
    return "".join(["[global]\n", *(f"{name} = {value}\n" for name, value in values.items())])


def certificates(environment: Mapping[str, str]) -> Path | None:
    """The machine's bundle of certificate authorities; None where none is found that a secret has room for."""
    named = [environment[variable] for variable in _CA_VARIABLES if environment.get(variable)]
    for candidate in [*named, ssl.get_default_verify_paths().cafile]:
        if candidate and (path := Path(candidate)).is_file() and path.stat().st_size <= _LARGEST_SECRET:
            return path
    return None


def apt_sources() -> list[Path]:
    """The machine's own package sources where it is a Debian 12, in apt's newer format."""
    release = Path("/etc/os-release")
    if not release.exists() or "VERSION_CODENAME=bookworm" not in release.read_text():
        return []
    return sorted(Path("/etc/apt/sources.list.d").glob("debian*.sources"))


def proxies(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The proxy variables that are set, in lower case: build arguments that every builder knows and none keeps."""
    both = {variable: environment.get(variable) or environment.get(variable.upper()) for variable in _PROXY_VARIABLES}
    return {variable: value for variable, value in both.items() if value}


def _pip_config_list() -> str:
    command = [sys.executable, "-m", "pip", "config", "list"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else ""
