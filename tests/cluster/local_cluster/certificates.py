"""The certificate authority of a cluster, what it signs, and kubeconfigs made of that."""

import base64
import json
from dataclasses import dataclass
from pathlib import Path

from local_cluster.paths import write
from local_cluster.shell import output, succeeds

_DAYS = "3650"
_NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
_RENEW_BEFORE = "604800"  # seconds: a week


@dataclass(frozen=True)
class Authority:
    """A folder of keys `NAME.key` and certificates `NAME.crt`; `ca` is the authority's own."""

    folder: Path

    def certificate(self, name: str) -> Path:
        """The certificate's file."""
        return self.folder / f"{name}.crt"

    def key(self, name: str) -> Path:
        """The private key's file."""
        return self.folder / f"{name}.key"

    def prepare(self) -> None:
        """Make the authority and the key that signs service accounts' tokens, unless they are there and valid."""
        if self._valid("ca"):
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        for old in self.folder.iterdir():
            old.unlink()
        output(
            ["openssl", "req", "-x509", *_NEW_KEY, "-days", _DAYS, "-subj", "/CN=local-cluster"]
            + ["-addext", "keyUsage=critical,keyCertSign,cRLSign,digitalSignature"]
            + ["-keyout", str(self.key("ca")), "-out", str(self.certificate("ca"))]
        )
        output(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", self.key("service-accounts")])

    def sign(self, name: str, subject: str, *alternatives: str) -> None:
        """Make a key and certificate for `subject` (`/O=GROUP/CN=USER`), unless there and valid.

        `alternatives` are what it may be reached as: `IP:127.0.0.1`, `DNS:localhost`.
        """
        if self._valid(name):
            return
        names = ",".join(alternatives or [f"DNS:{name}"])
        output(
            ["openssl", "req", "-x509", *_NEW_KEY, "-days", _DAYS, "-subj", subject]
            + ["-CA", str(self.certificate("ca")), "-CAkey", str(self.key("ca"))]
            + ["-addext", f"subjectAltName={names}", "-addext", "basicConstraints=critical,CA:FALSE"]
            + ["-addext", "keyUsage=critical,digitalSignature,keyEncipherment"]
            + ["-addext", "extendedKeyUsage=serverAuth,clientAuth"]
            + ["-keyout", str(self.key(name)), "-out", str(self.certificate(name))]
        )

    def write_kubeconfig(self, target: Path, name: str, server: str) -> None:
        """Write a kubeconfig (JSON, which is YAML) for the signed `name` at `server` (`https://…`), for its owner."""
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {
                    "name": "trainingrun",
                    "cluster": {"server": server, "certificate-authority-data": _encoded(self.certificate("ca"))},
                }
            ],
            "users": [
                {
                    "name": name,
                    "user": {
                        "client-certificate-data": _encoded(self.certificate(name)),
                        "client-key-data": _encoded(self.key(name)),
                    },
                }
            ],
            "contexts": [{"name": "trainingrun", "context": {"cluster": "trainingrun", "user": name}}],
            "current-context": "trainingrun",
        }
        write(target, json.dumps(config, indent=1), mode=0o600)

    def _valid(self, name: str) -> bool:
        check = ["openssl", "x509", "-checkend", _RENEW_BEFORE, "-noout", "-in", str(self.certificate(name))]
        return self.key(name).exists() and self.certificate(name).exists() and succeeds(check)


def _encoded(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
