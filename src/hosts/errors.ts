import { defineErrors } from "../lib/errors.ts";

export const hostErrors = defineErrors({
  MonitorUnreachable: { status: 409, remedy: "Check that QEMU runs and that its monitor socket may be opened." },
  MonitorTaken: {
    status: 409,
    remedy: "A monitor serves one client at a time: give Holdfast a -qmp socket of its own.",
  },
  MonitorUnresponsive: { status: 504, remedy: "Check the load of the host and the state of QEMU." },
  MonitorMisbehaved: { status: 502, remedy: "What answers there is no sound QEMU monitor." },
  MonitorLost: { status: 502, remedy: "QEMU ended or closed its monitor; start the machine and try again." },
  LibvirtUnreachable: { status: 409, remedy: "Check that libvirt's daemon runs and that its socket may be opened." },
  LibvirtRefused: { status: 409 },
  LibvirtMisbehaved: { status: 502, remedy: "What answers there is no sound libvirt." },
  QemuRefused: { status: 409 },
  QemuTooOld: { status: 409, remedy: "Holdfast needs QEMU 6.0 or newer." },
  MachineNotFound: { status: 404, remedy: "Look at `./holdfast host show` for the machines of the host." },
  MachineExists: { status: 409, remedy: "Choose another name, or remove the other machine first." },
  MachineRunning: { status: 409, remedy: "Stop the machine first." },
  MachineMoved: {
    status: 409,
    remedy: "Add the host that it runs on now with ./holdfast host add, and end the QEMU that it left.",
  },
  MachineNotDefined: { status: 409, remedy: "Start the machine by hand, or define it through Holdfast." },
  FirmwareMissing: { status: 409, remedy: "Install it on the host: the package is called ovmf or edk2-ovmf." },
  DiskNotFound: { status: 404, remedy: "Compare the disks with those of the machine." },
  NoPlaceForDisk: {
    status: 409,
    remedy:
      "Stop the machine and give it free PCIe ports (-device pcie-root-port, or libvirt's pcie-root-port controllers).",
  },
  DiskKept: { status: 409, remedy: "Unmount the disk in the guest, then detach it again." },
  DisksShareIdentity: {
    status: 409,
    remedy: "Give each disk of the machine a serial (-device …,serial=NAME) of its own.",
  },
  ImageRefused: { status: 409 },
  ImageInUse: {
    status: 409,
    remedy: "The image is open in a running machine: back the machine up through its QEMU host.",
  },
  SnapshotInProgress: { status: 409, remedy: "Wait for the other snapshot of this machine to end." },
  SnapshotOverlayFull: {
    status: 507,
    remedy: "Give the scratch folder more room, or back up when the guest writes less.",
  },
  HostSettingsInvalid: { status: 400 },
  OperationUnsupported: { status: 409 },
});
