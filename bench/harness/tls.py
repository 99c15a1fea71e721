# SPDX-License-Identifier: MIT
"""A certificate for the TLS benchmarks, made on the spot: /TMP/chain.pem and /TMP/key.pem."""

import os
import shutil
import subprocess
import tempfile

from harness import machine


class Certificate:
    """The context in which the programs run; EC P-256, so that handshakes weigh little."""

    def __init__(self, _):
        self.folder = None

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="corail-bench-")
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                   "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                   "-keyout", self.key, "-out", self.chain]
        try:
            subprocess.run(command, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError) as error:
            self.__exit__()
            raise machine.Failure(f"openssl: {error}") from error
        return self

    @property
    def chain(self):
        return os.path.join(self.folder, "chain.pem")

    @property
    def key(self):
        return os.path.join(self.folder, "key.pem")

    def __exit__(self, *_):
        shutil.rmtree(self.folder, ignore_errors=True)
