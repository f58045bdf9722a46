"""Mends, in memory, what Debian's azure-cli 2.45 package mismatches; az itself stays as it is.

The package asks its compute and network libraries for API versions that are newer than the ones
packaged beside it, and reads an attribute that its authorization library no longer has. With this
on PYTHONPATH `az vm`, `az network`, `az role` and `az backup protection enable-for-vm` work.

Storage accounts and key vaults have host names below localhost, which RFC 6761 reserves for this
machine; not every resolver knows, so they are resolved here.
"""

import importlib
import os

DEBIAN_COMPUTE = "/usr/lib/python3/dist-packages/azure/mgmt/compute"


def _is_debian_mismatch():
    return os.path.isdir(DEBIAN_COMPUTE) and not os.path.isdir(DEBIAN_COMPUTE + "/v2022_11_01")


def _mend_versions():
    from azure.cli.core.profiles import ResourceType
    from azure.cli.core.profiles._shared import AZURE_API_PROFILES

    latest = AZURE_API_PROFILES["latest"]
    compute = latest[ResourceType.MGMT_COMPUTE]
    for group, version in list(compute.profile.items()):
        if group is None or version == "2022-11-01":
            compute.profile[group] = "2022-08-01"
    latest[ResourceType.MGMT_NETWORK] = "2022-07-01"


def _mend_authorization():
    for version in ("v2020_04_01_preview", "v2018_01_01_preview"):
        module = importlib.import_module("azure.mgmt.authorization.%s.operations" % version)
        for name in dir(module):
            if name.endswith("Operations"):
                setattr(getattr(module, name), "config", property(lambda self: self._config))


def _resolve_localhost():
    import socket

    resolve = socket.getaddrinfo

    def getaddrinfo(host, *arguments, **options):
        name = host.decode("ascii", "replace") if isinstance(host, bytes) else host
        if isinstance(name, str) and name.lower().endswith(".localhost"):
            host = "localhost"
        return resolve(host, *arguments, **options)

    socket.getaddrinfo = getaddrinfo


_resolve_localhost()
for _mend in (_mend_versions, _mend_authorization) if _is_debian_mismatch() else ():
    try:
        _mend()
    except Exception:  # another package: nothing to mend
        pass
