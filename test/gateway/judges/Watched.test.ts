// Watches through a gateway while everything that may happen to it does: configurations swapped, endpoints killed and started again,
// connections cut and frozen, goodbyes of the endpoints, the gateway itself restarted. WATCH_SECONDS=600 lets it last ten minutes.
import { assert, it } from "vitest"
import { describeWith } from "../../Judges.ts"
import { replayed } from "../../Played.ts"
import { goClient } from "../../front/GoClient.ts"
import { freePort } from "../../FreePort.ts"
import { type Relay, startRelay } from "../../front/Relay.ts"
import { startUpstream, type Upstream, UPSTREAM_PROGRAMS } from "../../front/Upstream.ts"
import { watched } from "../../front/Watched.ts"
import { ALL_RULES, type Gateway, manifestOf, type Spec, startGateway } from "./Gateway.ts"

const seconds = Number(process.env["WATCH_SECONDS"] ?? 12)

const isLong = seconds > 60

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** Configurations that all let everything through, by one endpoint, the other or both. */
const specsFor = (relays: ReadonlyArray<Relay>): ReadonlyArray<Spec> => {
  const both = relays.map(({ url }) => ({ endpoint: url }))
  const policy = (more: Spec): Spec => ({ servers: both, dispatchPolicies: [{ rules: ALL_RULES, ...more }] })
  const roomy = { name: "roomy", tokenBucket: { qps: 1000, burst: 1000 } }
  return [
    policy({}),
    policy({ upstreamSubset: [relays[0]?.url] }),
    policy({ upstreamSubset: [relays[1]?.url] }),
    { servers: both.slice(0, 1), dispatchPolicies: [{ rules: ALL_RULES }] },
    policy({ flowControlSchemaName: "roomy" }),
    { ...policy({ flowControlSchemaName: "roomy" }), flowControl: { flowControlSchemas: [roomy] } },
    { servers: [both[0], { ...both[1], disabled: true }], dispatchPolicies: [{ rules: ALL_RULES }] },
    { servers: both.slice(1), dispatchPolicies: [{ rules: ALL_RULES }] },
    policy({ strategy: "RoundRobin" })
  ]
}

interface Parts {
  readonly upstream: Upstream
  readonly relays: ReadonlyArray<Relay>
  readonly write: Gateway["write"]
  readonly restart: () => Promise<void>
}

/** What is done, one after another, again and again; each is over when it has passed. */
const disturbances = ({ relays, restart, upstream, write }: Parts): ReadonlyArray<() => Promise<void>> => {
  const swaps = specsFor(relays).map((spec) => async () => write("watched", manifestOf(upstream, spec)))
  const second = upstream.endpoints[1]
  return [
    ...swaps.slice(0, 3),
    async () => relays[0]?.cut(),
    ...swaps.slice(3, 6),
    async () => {
      // Without a word, as SIGKILL does it; the first endpoint serves meanwhile.
      await second?.kill()
      await pause(300)
      await second?.restart()
    },
    async () => relays[1]?.cut(),
    ...swaps.slice(6),
    restart,
    async () => {
      relays[0]?.freeze()
      await pause(1000)
      relays[0]?.thaw()
    },
    ...(isLong
      ? [
          // Takes a minute: a kube-apiserver that is asked to stop waits for its watches.
          async () => {
            await second?.kill("SIGTERM")
            await second?.restart()
          }
        ]
      : [])
  ]
}

describeWith(...UPSTREAM_PROGRAMS)("watches through a gateway", (programs) => {
  it(`lose, double and swap nothing for ${seconds} s`, replayed(240_000 + seconds * 1000), async (context) => {
    const goProgram = await goClient(context)
    const upstream = await startUpstream(programs, { bare: true, endpoints: 2, flags: ["--goaway-chance=0.02"] })
    const relays = await Promise.all(upstream.endpoints.map(({ port }) => startRelay(port)))
    const port = await freePort()
    const { folder, owner } = upstream
    const servers = relays.map(({ url }) => ({ endpoint: url }))
    const open = (): Promise<Gateway> =>
      startGateway(
        { watched: manifestOf(upstream, { servers }) },
        { folder, probe: owner, port, flags: ["--proxy-goaway-chance", "0.02"] }
      )
    let gateway = await open()
    try {
      const restart = async (): Promise<void> => {
        await gateway.front.stop("SIGKILL")
        gateway = await open()
      }
      const parts: Parts = { upstream, relays, restart, write: (name, manifest) => gateway.write(name, manifest) }
      let done = 0
      const run = await watched({
        upstream,
        namespace: "watched",
        access: gateway.through(owner),
        goProgram,
        disturb: async () => {
          const acts = disturbances(parts)
          const end = Date.now() + seconds * 1000
          while (done < acts.length || Date.now() < end) {
            await acts[done++ % acts.length]?.()
            await pause(Math.max(150, (seconds * 1000) / acts.length / 3))
          }
        }
      })
      assert.deepStrictEqual([run.bare.wrong, run.node.wrong, run.go.wrong], [[], [], []])
      assert.isAbove(run.deeds, 100)
      assert.isAtLeast(run.again[0], 2, "watches were ended on the way")
      const { go, node } = run
      process.stderr.write(
        `${done} disturbances, ${run.deeds} deeds, ${run.again.join("/")} times anew, passed over ${node.passedOver}/${go.passedOver}\n`
      )
    } finally {
      await gateway.stop()
      for (const relay of relays) relay.stop()
      await upstream.stop()
    }
  })
})
