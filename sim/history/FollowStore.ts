// How a history follows a store: one watch of every key, from a revision on.
// Owns what such a watch asks for; refuses to keep anything of what it hears.
import type { Storage } from "#storage"

const EVERYTHING = { start: Buffer.from([0]), end: undefined, single: false } as const

type Listener = Parameters<Storage["hub"]["watch"]>[1]

/** Hears of every event from a revision on; `withPrevious`: each with what it replaced. */
export const followStore = (
  { hub }: Storage,
  startRevision: number,
  withPrevious: boolean,
  events: Listener["events"]
): void => {
  hub.watch(
    {
      id: 0,
      range: EVERYTHING,
      startRevision,
      withPutEvents: true,
      withDeleteEvents: true,
      withPrevious,
      fragment: false,
      progressNotify: false
    },
    { isBlocked: () => false, compacted: () => undefined, events }
  )
}
