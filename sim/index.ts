// The door of the room: the simulated world.
// Owns what other rooms may use; everything else in this folder is the room's own business.
export { EventHeap, type EventHandle } from "./time/EventHeap.ts"
export { EventLog, type EventTap, type LoggedEvent } from "./time/EventLog.ts"
export { type Handler, type HandlerId, Kernel, type KernelOptions, type RunEnd, type RunLimits } from "./time/Kernel.ts"
export { hashText, mix32, RandomStream } from "./time/RandomStream.ts"
export { followRealTime, memoryBytes, runInSlices, wallMs } from "./time/RealTimeAdapter.ts"
export { SimProcess } from "./time/SimProcess.ts"
export { SpeedMeter, type SpeedReading } from "./time/SpeedMeter.ts"
