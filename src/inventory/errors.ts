import { defineErrors } from "../lib/errors.ts";

export const inventoryErrors = defineErrors({
  ExtensionUnknown: { status: 404, remedy: "See az vm extension list." },
  HostUnknown: { status: 404, remedy: "See ./holdfast host list." },
  HostRunsNoMachines: { status: 409, remedy: "Choose a host of the kind qemu or libvirt." },
  HostPathInvalid: { status: 400, remedy: "Name a folder on the machine of the service, as an absolute path." },
  HostUnreachable: {
    status: 503,
    remedy: "Check the host, then look again with ./holdfast host refresh.",
  },
  MachineUnknown: { status: 404, remedy: "See az vm list and ./holdfast host show." },
  MachineVanished: {
    status: 409,
    remedy: "Start it, or bring its images back; then look again with ./holdfast host refresh.",
  },
  MachineNotOurs: {
    status: 409,
    remedy: "Remove it on its host; once it is gone there, az vm delete forgets it here.",
  },
  MachineNameTaken: { status: 409, remedy: "Choose another name." },
});
