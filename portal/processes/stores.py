"""Who may do what in the segment store: one key a process, each with the S3 actions of its work and no more.

Nobody who takes bids can delete one, nobody who deletes can read one, and only the door of the bidders and the
operation's clockwork set locks; under COMPLIANCE a lock is only ever lengthened, whoever asks. Written for a SeaweedFS
(`-s3.config`): identities with policies in the AWS form; any other server takes the same policies its own way. The
store is prepared by its administrator (storage/s3.py:S3Blobs.prepare), whose key no process has.
Whoever controls a process has its key; whoever has the administrator's can do everything that no lock forbids.

python -m portal.processes.stores BUCKET PASSWORDS_FILE    the configuration; PASSWORDS_FILE is TOML: process = secret,
                                                           `administrator` among them
"""

from __future__ import annotations

import json
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path

ADMINISTRATOR = "administrator"
LOOK = ("s3:GetObject", "s3:GetObjectVersion", "s3:ListBucket", "s3:ListBucketVersions")
LOCK = ("s3:GetObjectRetention", "s3:PutObjectRetention")
RIGHTS: Mapping[str, tuple[str, ...]] = {
    "public": LOOK,
    "desk": (*LOOK, "s3:PutObject"),
    "bidders": (*LOOK, *LOCK, "s3:PutObject"),
    "opening": LOOK,
    "verifier": LOOK,
    "watch": LOOK,
    "clockwork-operation": (*LOOK, *LOCK),
    "eraser": ("s3:ListBucket", "s3:ListBucketVersions", "s3:DeleteObject", "s3:DeleteObjectVersion"),
}
"""The S3 actions of each process that has a store."""


def identities(bucket: str, secrets: Mapping[str, str]) -> bytes:
    """The identities file of a SeaweedFS: `secrets` by process, and the administrator's, who makes the bucket."""
    made = [_identity(ADMINISTRATOR, secrets[ADMINISTRATOR]) | {"actions": ["Admin"]}]
    made += [_identity(process, secrets[process]) | {"policyNames": [process]} for process in RIGHTS]
    policies = [{"name": process, "content": json.dumps(policy(bucket, process))} for process in RIGHTS]
    return (json.dumps({"identities": made, "policies": policies}, indent=1) + "\n").encode()


def policy(bucket: str, process: str) -> Mapping[str, object]:
    """What a process's key may do, as an AWS policy."""
    resources = [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
    statement = {"Effect": "Allow", "Action": list(RIGHTS[process]), "Resource": resources}
    return {"Version": "2012-10-17", "Statement": [statement]}


def _identity(name: str, secret: str) -> dict[str, object]:
    return {"name": name, "credentials": [{"accessKey": name, "secretKey": secret}]}


if __name__ == "__main__":
    sys.stdout.buffer.write(identities(sys.argv[1], tomllib.loads(Path(sys.argv[2]).read_text("utf-8"))))
