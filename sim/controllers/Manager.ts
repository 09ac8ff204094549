// What a controller is handed: a way to the API server, time, shared informers and a recorder of events.
// Owns these shapes only; ControllerManager.ts makes them, the controllers use them. Whatever a controller does, it does through
// a Manager: so the same code runs in virtual time on a simulated cluster and in real time on a real one.
import type { ApiFailure, Client, Clockwork, Controller, InformerFactory } from "#kube"
import type { EventRecorder } from "./EventRecorder.ts"

export interface Manager {
  readonly client: Client
  readonly clockwork: Clockwork
  readonly informers: InformerFactory
  readonly events: EventRecorder
  /** Keys that the controller of this name works on at the same time, as `--concurrent-*-syncs` says. */
  readonly syncs: (controller: string) => number
  /** Hears of each sync that failed; it is tried again by itself. */
  readonly failed: (controller: string, key: string, failure: ApiFailure) => void
}

/** Makes a controller, or several that belong together; the manager starts and stops them. */
export type ControllerMaker = (manager: Manager) => Controller | ReadonlyArray<Controller>

/** A controller under the name that upstream's `--controllers` has for it. */
export interface NamedController {
  readonly name: string
  readonly make: ControllerMaker
  /** Keys worked on at the same time unless flags say otherwise. Default 1. */
  readonly syncs?: number
  /** The flag that says so, like "concurrent-deployment-syncs". */
  readonly syncsFlag?: string
  /** Whether "*" does not include it. */
  readonly offByDefault?: boolean
}
