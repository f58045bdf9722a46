// Fault points: places where a test may make the process die or a step fail, each named after the
// arrow of the write order that it stands on. Armed only through HOLDFAST_FAULTS, for example
//   HOLDFAST_FAULTS="backup.after-packs=kill@3,store.put=ENOSPC"
// kills the process at the third pass of the first point and fails every pass of the second.

interface ArmedFault {
  readonly action: string;
  readonly atPass: number | undefined;
  passes: number;
}

const armed = readArmed(process.env["HOLDFAST_FAULTS"]);

export function faultPoint(name: string): void {
  if (armed.size === 0) return;
  const fault = armed.get(name);
  if (fault === undefined) return;
  fault.passes += 1;
  if (fault.atPass !== undefined && fault.passes !== fault.atPass) return;
  if (fault.action === "kill") process.kill(process.pid, "SIGKILL");
  throw Object.assign(new Error(`${fault.action}: injected at ${name}`), { code: fault.action });
}

function readArmed(text: string | undefined): Map<string, ArmedFault> {
  const faults = new Map<string, ArmedFault>();
  for (const entry of (text ?? "").split(",")) {
    const match = /^\s*([\w.-]+)=(\w+)(?:@(\d+))?\s*$/.exec(entry);
    if (match?.[1] === undefined || match[2] === undefined) continue;
    const atPass = match[3] === undefined ? undefined : Number(match[3]);
    faults.set(match[1], { action: match[2], atPass, passes: 0 });
  }
  return faults;
}
