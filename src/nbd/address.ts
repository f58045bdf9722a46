// Where an NBD server listens, and how it is written for QEMU and the other clients.

export type NbdAddress = { readonly socketPath: string } | { readonly host: string; readonly port: number };

export function describeAddress(address: NbdAddress): string {
  return "socketPath" in address ? address.socketPath : `${address.host}:${address.port}`;
}

/** `nbd+unix:///disk?socket=/run/x.sock` or `nbd://host:10809/disk`. */
export function nbdUri(address: NbdAddress, exportName: string): string {
  const name = encodeURIComponent(exportName);
  if ("socketPath" in address) return `nbd+unix:///${name}?socket=${encodeURI(address.socketPath)}`;
  const host = address.host.includes(":") ? `[${address.host}]` : address.host;
  return `nbd://${host}:${address.port}/${name}`;
}
