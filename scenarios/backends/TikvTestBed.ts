// The test bed of TiKV's protocol for one run: a real placement driver and stores on this machine's ports.
// Owns its start and, where a run wants it, the unrest: regions that split, merge and change their leader all the time.
// Refuses to be taken for TiKV: it replicates nothing, and its speed says nothing of TiKV's.
import { freePort, launch, stop } from "#kind"
import { Effect, Random, Schedule } from "effect"
import { get, request } from "node:http"
import { dirname, join } from "node:path"
import type { ServerSettings } from "./Backend.ts"

/** The two programs of the test bed. */
export interface TestBedPrograms {
  readonly stores: string
  readonly placementDriver: string
}

export interface TestBedOptions {
  readonly programs: TestBedPrograms
  readonly settings: ServerSettings
  readonly stores: number
  /** Keys of the cluster under which regions are cut while the run goes on; undefined leaves them alone. */
  readonly unrestUnder?: string
}

const UNREST_EVERY = "200 millis"
/** Beyond, regions are merged rather than cut. */
const REGIONS_MAX = 64

/** Asks the test bed's admin port; the body, or undefined when it did not answer. */
const ask = (admin: string, path: string, method: "GET" | "POST"): Effect.Effect<string | undefined> =>
  Effect.callback((resume) => {
    const open = method === "GET" ? get : request
    const asked = open(`http://${admin}${path}`, { method, timeout: 1000 }, (response) => {
      let text = ""
      response.setEncoding("utf8").on("data", (part: string) => (text += part))
      response.on("end", () => resume(Effect.succeed(text)))
    })
    asked.on("timeout", () => asked.destroy())
    asked.on("error", () => resume(Effect.void.pipe(Effect.as(undefined))))
    asked.end()
    return Effect.sync(() => asked.destroy())
  })

interface Region {
  readonly Region: number
  readonly Leader: number
}

/** One change of the regions: a cut among the keys, a merge or another leader. */
const disturb = (admin: string, under: string) =>
  Effect.gen(function* () {
    const text = yield* ask(admin, "/regions", "GET")
    if (text === undefined) return
    const regions = JSON.parse(text) as ReadonlyArray<Region>
    const [what, which] = [yield* Random.next, yield* Random.nextIntBetween(0, regions.length - 1)]
    const { Region: id } = regions[which]
    if (what < 0.6 && regions.length < REGIONS_MAX) {
      const tail = Math.floor((yield* Random.next) * 36 ** 4).toString(36)
      const key = Buffer.from(`${under}${tail}`).toString("hex")
      yield* ask(admin, `/split?key=${key}`, "POST")
    } else if (what < 0.8) yield* ask(admin, `/merge?region=${id}`, "POST")
    else {
      const stores = [...new Set(regions.map(({ Leader }) => Leader))]
      yield* ask(admin, `/leader?region=${id}&store=${stores[which % stores.length]}`, "POST")
    }
  })

/** Starts the test bed for the life of the scope; answers its placement driver's address. */
export const openTestBed = ({ programs, settings, stores, unrestUnder }: TestBedOptions) =>
  Effect.gen(function* () {
    const address = Effect.map(freePort, (port) => `127.0.0.1:${port}`)
    const [pd, admin] = [yield* address, yield* address]
    const storeAddresses = yield* Effect.all(Array.from({ length: stores }, () => address))
    const started = launch({
      backend: "tikv",
      command: programs.stores,
      args: [
        `-pd=${pd}`,
        `-pd-server=${programs.placementDriver}`,
        `-tikv=${storeAddresses.join(",")}`,
        `-admin=${admin}`,
        `-data=${join(settings.dataDir, "tikv")}`,
        `-sync=${settings.fsync}`
      ],
      directory: dirname(settings.dataDir),
      ready: Effect.map(ask(admin, "/regions", "GET"), (text) => text !== undefined)
    })
    yield* Effect.acquireRelease(started, (child) => stop(child))
    if (unrestUnder !== undefined) {
      yield* Effect.forkScoped(disturb(admin, unrestUnder).pipe(Effect.repeat(Schedule.spaced(UNREST_EVERY))))
    }
    return pd
  })
