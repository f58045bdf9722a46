import { hostErrors } from "../errors.ts";

/** Sockets and scratch files of a snapshot are the daemon's: of another machine's we see neither. */
export function refuseRemote(uri: string): void {
  const host = URL.parse(uri)?.hostname ?? "";
  if (host === "") return;
  throw hostErrors.OperationUnsupported(
    `libvirt at ${host} runs on another machine, whose disks cannot be read from here: run Holdfast there, with a URI such as qemu:///system.`,
  );
}
