// The door of the reports room: the run record, and everything that is computed or drawn from records.
// Imports no other room.
export * from "./Compare.ts"
export type { Difference } from "./Environment.ts"
export { type CurvePoint, highestLatencyUs, Latency } from "./Latency.ts"
export * from "./RecordedLoad.ts"
export * from "./RecordedPlatform.ts"
export * from "./RunRecord.ts"
export { assessValidity, validityBounds } from "./Validity.ts"
export * from "./Verdict.ts"
