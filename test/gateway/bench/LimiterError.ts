// How far off the limiter is: 1 to 50 gateways in virtual time, under even, skewed and bursty demand, through joins, leaves, deaths and cuts.
// Prints a Markdown table of the error over windows of 1 s and 10 s, and how long each disturbance is felt. Run: node test/gateway/bench/LimiterError.ts
import type { FlowControl } from "../../../core/gateway/config/UpstreamCluster.ts"
import { globalBucket, globalSlots, LimiterWorld } from "../global/LimiterWorld.ts"

const RATE = 1000
const BURST = 100
const SLOTS = 200
const WARM_MS = 5000
const MEASURE_MS = 20_000
const SEEDS = [1, 2]

type Demand = "even" | "skewed" | "bursty" | "coming and going"

const percent = (part: number): string => `${part >= 0 ? "+" : "−"}${(Math.abs(part) * 100).toFixed(1)} %`

/** Counts in windows that begin every 100 ms, least and most. */
const windows = (world: LimiterWorld, fromMs: number, toMs: number, windowMs: number): readonly [number, number] => {
  let least = Number.POSITIVE_INFINITY
  let most = 0
  for (let start = fromMs; start + windowMs <= toMs; start += 100) {
    const count = world.admittedIn(start, start + windowMs)
    least = Math.min(least, count)
    most = Math.max(most, count)
  }
  return [least, most]
}

/** Asks for twice the limit in all. */
const load = (world: LimiterWorld, gateways: number, demand: Demand, lastsMs: number): void => {
  const all = 2 * (lastsMs === 0 ? RATE : (SLOTS * 1000) / lastsMs)
  for (let at = 0; at < gateways; at++) {
    const part = demand === "skewed" && gateways > 1 ? (at === 0 ? 0.9 : 0.1 / (gateways - 1)) : 1 / gateways
    world.join(all * part, lastsMs)
  }
}

/** Changes the demand while time passes. */
const live = (world: LimiterWorld, demand: Demand, forMs: number, lastsMs: number): void => {
  const all = world.gateways.reduce((sum, { rate }) => sum + rate, 0)
  for (let ms = 0; ms < forMs; ms += 500) {
    const second = Math.floor(world.kernel.nowMs / 1000)
    if (demand === "bursty" && world.gateways.length > 1) {
      // Half of the gateways rest for two seconds, in turn.
      const busy = world.gateways.filter((_, at) => (at + Math.floor(second / 2)) % 2 === 0)
      for (const gateway of world.gateways) gateway.rate = busy.includes(gateway) ? all / busy.length : 0
    }
    if (demand === "coming and going" && second % 3 === 0 && world.gateways.length > 1) {
      const leaving = world.gateways.find(({ running }) => running)
      if (leaving !== undefined) {
        world.leave(leaving)
        world.join(leaving.rate, lastsMs)
      }
    }
    world.run(500)
  }
}

const rateRow = (title: string, control: FlowControl, gateways: number, demand: Demand): string => {
  let [low1, high1, low10, high10] = [0, 0, 0, 0]
  for (const seed of SEEDS) {
    const world = new LimiterWorld({ seed, control })
    world.run(1500)
    load(world, gateways, demand, 0)
    live(world, demand, WARM_MS, 0)
    const from = world.kernel.nowMs
    live(world, demand, MEASURE_MS, 0)
    const [least1, most1] = windows(world, from, from + MEASURE_MS, 1000)
    const [least10, most10] = windows(world, from, from + MEASURE_MS, 10_000)
    low1 = Math.min(low1, least1 / RATE - 1)
    high1 = Math.max(high1, most1 / RATE - 1)
    low10 = Math.min(low10, least10 / (RATE * 10) - 1)
    high10 = Math.max(high10, most10 / (RATE * 10) - 1)
  }
  return `| ${title} | ${gateways} | ${demand} | ${percent(low1)} … ${percent(high1)} | ${percent(low10)} … ${percent(high10)} |`
}

const slotsRow = (title: string, control: FlowControl, gateways: number, demand: Demand): string => {
  let most = 0
  let used = 0
  let samples = 0
  for (const seed of SEEDS) {
    const world = new LimiterWorld({ seed, control })
    world.run(1500)
    load(world, gateways, demand, 50)
    live(world, demand, WARM_MS, 50)
    for (let ms = 0; ms < MEASURE_MS / 3; ms += 500) {
      live(world, demand, 490, 50)
      for (let step = 0; step < 10; step++) {
        world.run(1)
        const open = world.gateways.reduce((sum, { flow }) => sum + flow.counts.inFlight, 0)
        most = Math.max(most, open)
        used += open
        samples++
      }
    }
  }
  return `| ${title} | ${gateways} | ${demand} | most ${most} of ${SLOTS} | mean ${(used / samples).toFixed(0)} |`
}

/** Milliseconds until a second's admissions are back at 95 % of the limit and stay there; and the most in any second meanwhile. */
const disturbed = (title: string, control: FlowControl, disturb: (world: LimiterWorld) => void): string => {
  let longest = 0
  let most = 0
  let least = Number.POSITIVE_INFINITY
  for (const seed of SEEDS) {
    const world = new LimiterWorld({ seed, control })
    world.run(1500)
    load(world, 5, "even", 0)
    world.run(WARM_MS)
    const from = world.kernel.nowMs
    disturb(world)
    world.run(20_000)
    let last = from
    for (let start = from; start < from + 18_000; start += 50) {
      const count = world.admittedIn(start, start + 1000)
      least = Math.min(least, count)
      if (count < RATE * 0.95) last = start + 1000
    }
    longest = Math.max(longest, last - from)
    most = Math.max(most, world.most(1000, from))
  }
  return `| ${title} | ${(longest / 1000).toFixed(1)} s | ${least} | ${most} |`
}

const modes: ReadonlyArray<readonly [string, FlowControl]> = [
  ["rate, globalAllocate", globalBucket("GlobalAllocate", RATE, BURST)],
  ["rate, globalCount", globalBucket("GlobalCount", RATE, BURST)]
]
const slotModes: ReadonlyArray<readonly [string, FlowControl]> = [
  ["in flight, globalAllocate", globalSlots("GlobalAllocate", SLOTS)],
  ["in flight, globalCount", globalSlots("GlobalCount", SLOTS)]
]
const demands: ReadonlyArray<Demand> = ["even", "skewed", "bursty", "coming and going"]

function* lines(): Generator<string> {
  yield `Limit ${RATE}/s, burst ${BURST}; demand twice the limit; ${SEEDS.length} seeds, ${MEASURE_MS / 1000} s each after ${WARM_MS / 1000} s.`
  yield ""
  yield "| limit | gateways | demand | 1 s windows | 10 s windows |"
  yield "| --- | --- | --- | --- | --- |"
  for (const [title, control] of modes)
    for (const gateways of [1, 3, 10, 50]) for (const demand of demands) yield rateRow(title, control, gateways, demand)
  yield ""
  yield "| limit | gateways | demand | in flight | in use |"
  yield "| --- | --- | --- | --- | --- |"
  for (const [title, control] of slotModes)
    for (const gateways of [1, 3, 10, 50])
      for (const demand of demands) yield slotsRow(title, control, gateways, demand)
  yield ""
  yield "| disturbance, 5 gateways | felt for | least in a second | most in a second |"
  yield "| --- | --- | --- | --- |"
  for (const [title, control] of modes)
    for (const [what, disturb] of disturbances) yield disturbed(`${title}: ${what}`, control, disturb)
}

const disturbances: ReadonlyArray<readonly [string, (world: LimiterWorld) => void]> = [
  ["nothing", () => undefined],
  ["a gateway dies", (world) => world.crash(world.gateways[0])],
  ["a gateway leaves", (world) => world.leave(world.gateways[0])],
  [
    "ten more join",
    (world) => {
      for (let at = 0; at < 10; at++) world.join(400)
    }
  ],
  ["the leader dies", (world) => world.killServer(world.leader())],
  [
    "a gateway is cut off",
    (world) =>
      world.network.setPartition(
        [world.gateways[0].process],
        world.servers.map(({ process }) => process),
        true
      )
  ],
  [
    "the demand moves to one",
    (world) => {
      for (const [at, gateway] of world.gateways.entries()) gateway.rate = at === 0 ? 2 * RATE : 1
    }
  ]
]

for (const line of lines()) process.stdout.write(`${line}\n`)
