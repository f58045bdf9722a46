// What the rest of the service uses of capturing machines. See docs/capture.md.

export { inTurn } from "./in-turn.ts";
export { captureMachine, type Captured, type CaptureAttachment, type CaptureRequest } from "./capture-machine.ts";
export { capturedFacts, mustBeCaptured, type CapturedConsistency, type CapturedFacts } from "./captured-point.ts";
export type { ConsistencyAgent } from "./consistency.ts";
export type { DiskChoice } from "./disk-choice.ts";
export { writePointDisks, type DiskFile, type WriteProgress, type Writing } from "./point-disks.ts";
export type { Remark } from "./remarks.ts";
