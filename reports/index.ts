// The door of the reports room: the run record, and everything that is computed or drawn from records.
// Imports no other room.
export { type CurvePoint, highestLatencyUs, Latency } from "./Latency.ts"
export * from "./RecordedLoad.ts"
export * from "./RecordedPlatform.ts"
export * from "./RunRecord.ts"
