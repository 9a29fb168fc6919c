"""Answers access checks as Samba does: one JSON object a line in, one number or error a line out."""
import json
import sys

from samba import NTSTATUSError, security
from samba.dcerpc import security as dcerpc

DOMAIN = dcerpc.dom_sid("S-1-5-21-9-9-9")
BITS = {
    "SeSecurityPrivilege": dcerpc.SEC_PRIV_SECURITY_BIT,
    "SeTakeOwnershipPrivilege": dcerpc.SEC_PRIV_TAKE_OWNERSHIP_BIT,
}

for line in sys.stdin:
    case = json.loads(line)
    token = dcerpc.token()
    sids = [dcerpc.dom_sid(sid) for sid in case["sids"]]
    token.num_sids, token.sids = len(sids), sids
    token.privilege_mask = sum(BITS[name] for name in case["privileges"])
    descriptor = dcerpc.descriptor.from_sddl(case["sddl"], DOMAIN)
    try:
        print(security.access_check(descriptor, token, case["desired"]))
    except NTSTATUSError as error:
        print({0xC0000022: "denied", 0xC0000061: "privilege"}[error.args[0]])
