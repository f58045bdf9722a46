import { defineErrors } from "../lib/errors.ts";

export const agentErrors = defineErrors({
  AgentUnreachable: {
    status: 409,
    remedy: "Give the machine a virtio-serial port named org.qemu.guest_agent.0 and install qemu-guest-agent in it.",
  },
  AgentUnresponsive: { status: 409, remedy: "Check that the machine runs and that qemu-guest-agent is started in it." },
  AgentMisbehaved: { status: 409, remedy: "Look into the guest: what answers there is no sound qemu-guest-agent." },
  AgentCommandFailed: { status: 409 },
  AgentCommandUnavailable: {
    status: 409,
    remedy: "Allow the command in the guest's qemu-ga configuration (block-rpcs, allow-rpcs).",
  },
  GuestProgramTimedOut: { status: 504 },
  GuestOutputTooLarge: { status: 409 },
  ExtensionNotInstalled: { status: 409, remedy: "Check that /var/lib of the guest is not full or read-only." },
  ExtensionNotWritable: { status: 409, remedy: "Check that /var/lib of the guest is not full or read-only." },
  ExtensionNotRemoved: { status: 409, remedy: "Remove what is left below /var/lib/waagent and /etc/azure/holdfast." },
});
