// What must hold after anything: users, members' own people, lost and repeated messages, and a process that dies at any moment.
// Properties over random sequences in virtual time; a failure shrinks to the fewest events and prints its seed.
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import {
  federationLabels,
  federationResources,
  federatedSpecOf,
  patchesBy,
  federationControllers,
  placedClusters
} from "#federation"
import { type KubeObject, objectKey } from "#kube"
import { deployments, FederationWorld, type Server, smooth } from "./FederationWorld.ts"
import { deployment, policy } from "./Objects.ts"

const MEMBERS = ["a", "b", "c"]
const NAMES = ["web", "api"]

type Event =
  | {
      readonly kind: "create" | "delete" | "theirs"
      readonly name: string
      readonly orphan: boolean
      readonly member: string
    }
  | { readonly kind: "scale"; readonly name: string; readonly replicas: number }
  | { readonly kind: "meddle" | "vandal"; readonly name: string; readonly member: string; readonly replicas: number }
  | { readonly kind: "place"; readonly weights: ReadonlyArray<number>; readonly divide: boolean }
  | { readonly kind: "down" | "up"; readonly member: string }
  | { readonly kind: "crash" }
  | { readonly kind: "storm" | "calm" }

interface Timed {
  readonly event: Event
  readonly afterMs: number
}

const name = fc.constantFrom(...NAMES)
const member = fc.constantFrom(...MEMBERS)
const replicas = fc.nat({ max: 9 })

const anEvent: fc.Arbitrary<Event> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("create" as const), name, member, orphan: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("delete" as const), name, member, orphan: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("theirs" as const), name, member, orphan: fc.boolean() }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("scale" as const), name, replicas }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constantFrom("meddle" as const, "vandal" as const), name, member, replicas })
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("place" as const),
      divide: fc.boolean(),
      weights: fc.array(fc.nat({ max: 3 }), { minLength: 3, maxLength: 3 })
    })
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom("down" as const, "up" as const), member }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("crash" as const) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom("storm" as const, "calm" as const) }) }
)

const timed = fc.record({
  event: anEvent,
  afterMs: fc.oneof(fc.nat({ max: 300 }), fc.nat({ max: 20_000 }), fc.constant(90_000))
})

const placement = (weights: ReadonlyArray<number>, divide: boolean): object => {
  const placed = MEMBERS.flatMap((cluster, at) =>
    weights[at] > 0 ? [{ cluster, preferences: { weight: weights[at] } }] : []
  )
  return {
    schedulingMode: divide ? "Divide" : "Duplicate",
    placement: placed.length === 0 ? [{ cluster: "a" }] : placed,
    reschedulePolicy: { replicaRescheduling: { avoidDisruption: false } },
    // No one runs pods here, so that nothing that replaces a cluster is ever seen to be well: waiting must have an end.
    failover: { disabled: true, gracePeriodSeconds: 20 }
  }
}

/** What members' own people made and nobody may touch. */
class Theirs {
  readonly objects = new Map<string, string>()
}

class Play {
  readonly world: FederationWorld
  readonly theirs = new Theirs()
  /** Sources that were deleted with orphaning, and those that may not be anywhere any more. */
  readonly released = new Set<string>()

  constructor(seed: number) {
    this.world = new FederationWorld(seed, { deletionWaitMs: 30_000 })
    for (const one of MEMBERS) this.world.join(one)
    this.world.make(
      this.world.host,
      federationResources.propagationPolicies,
      "default",
      policy("spread", placement([1, 1, 0], true))
    )
    this.world.start()
    assert.isTrue(this.world.until(() => MEMBERS.every((one) => this.world.isReady(one))))
  }

  server(one: string): Server {
    return this.world.members.get(one)!
  }

  play({ afterMs, event }: Timed): void {
    const { world } = this
    switch (event.kind) {
      case "create": {
        const annotations = event.orphan ? { "kubeadmiral.io/orphan": "all" } : {}
        if (world.read(world.host, deployments, "default", event.name) === undefined)
          world.make(world.host, deployments, "default", deployment(event.name, 4, { annotations }))
        break
      }
      case "delete":
        world.remove(world.host, deployments, "default", event.name)
        break
      case "theirs": {
        const at = this.server(event.member)
        if (world.read(at, deployments, "default", event.name) !== undefined) break
        const made = world.make(at, deployments, "default", {
          ...deployment(event.name, 1),
          metadata: { name: event.name, namespace: "default", labels: { owner: "somebody" } }
        })
        this.theirs.objects.set(
          `${event.member}/${event.name}/${made.metadata.uid}`,
          made.metadata.resourceVersion ?? ""
        )
        break
      }
      case "scale":
        world.change(world.host, deployments, "default", event.name, { spec: { replicas: event.replicas } })
        break
      case "meddle":
      case "vandal": {
        const at = this.server(event.member)
        const copy = world.read(at, deployments, "default", event.name)
        if (copy?.metadata.labels?.[federationLabels.managed] !== "true") break
        if (event.kind === "meddle")
          world.change(at, deployments, "default", event.name, {
            spec: { replicas: event.replicas },
            metadata: { annotations: { note: "mine" } }
          })
        else world.remove(at, deployments, "default", event.name)
        break
      }
      case "place":
        world.change(world.host, federationResources.propagationPolicies, "default", "spread", {
          spec: placement(event.weights, event.divide)
        })
        break
      case "down":
      case "up":
        this.server(event.member).ways.up = event.kind === "up"
        break
      case "crash":
        world.crash()
        world.run(Math.min(afterMs, 1000))
        world.start()
        break
      default: {
        const ways = event.kind === "storm" ? { lost: 0.1, answerLost: 0.1, twice: 0.1, delayMs: 400 } : smooth()
        for (const server of [world.host, ...world.members.values()])
          Object.assign(server.ways, { ...ways, up: server.ways.up })
      }
    }
    world.run(afterMs)
  }

  /** All is well again, and there is time to put everything right. */
  rest(): void {
    for (const server of [this.world.host, ...this.world.members.values()]) Object.assign(server.ways, smooth())
    this.world.run(400_000)
  }
}

const replicasOf = ({ spec }: KubeObject): number => (spec as { readonly replicas: number }).replicas

const managedIn = (world: FederationWorld, server: Server): ReadonlyMap<string, KubeObject> =>
  new Map(
    world
      .list(server, deployments)
      .filter(({ metadata }) => metadata.labels?.[federationLabels.managed] === "true")
      .map((object) => [object.metadata.name ?? "", object])
  )

const isFor = (object: KubeObject, one: string): boolean => object.metadata.name === `${one}-deployments.apps`

/** Members have exactly what the host says, and nothing that it does not say. */
const judgeMembers = ({ theirs, world }: Play): void => {
  const federated = world.list(world.host, federationResources.objects)
  const sources = new Map(world.list(world.host, deployments).map((object) => [object.metadata.name ?? "", object]))
  for (const one of MEMBERS) {
    const server = world.members.get(one)!
    const managed = managedIn(world, server)
    for (const name of NAMES) {
      const record = federated.find((object) => isFor(object, name))
      const source = sources.get(name)
      assert.strictEqual(
        record === undefined,
        source === undefined,
        `${name}: a record without its source, or the other way round`
      )
      const placed = record !== undefined && placedClusters(federatedSpecOf(record)).includes(one)
      const blocked =
        [...theirs.objects.keys()].some((key) => key.startsWith(`${one}/${name}/`)) &&
        world.read(server, deployments, "default", name)?.metadata.labels?.["owner"] === "somebody"
      const copy = managed.get(name)
      if (blocked) {
        assert.isUndefined(copy, `${name} in ${one}: somebody else's object is marked as ours`)
        continue
      }
      const orphaned = world.read(server, deployments, "default", name)
      if (placed && copy === undefined && orphaned !== undefined) continue
      assert.strictEqual(copy !== undefined, placed, `${name} in ${one}: ${placed ? "missing" : "left behind"}`)
      if (copy === undefined || record === undefined || source === undefined) continue
      const asked = patchesBy(federatedSpecOf(record), federationControllers.scheduler, one)[0]?.value
      assert.strictEqual(replicasOf(copy), asked ?? replicasOf(source), `${name} in ${one}: replicas`)
    }
  }
  for (const [key, version] of theirs.objects) {
    const [one = "", name = "", uid] = key.split("/")
    const now = world.read(world.members.get(one)!, deployments, "default", name)
    assert.isTrue(
      now?.metadata.uid === uid && now?.metadata.resourceVersion === version,
      `${key}: somebody else's object was touched`
    )
  }
}

/** What goes on at rest: members' heartbeats, and the count of an event whose cause stays, as an object that is somebody else's. */
const GOES_ON = new Set(["federatedclusters", "events"])

/** Whoever has come to rest writes nothing more. */
const judgeQuiet = ({ world }: Play): void => {
  const count = (): string =>
    JSON.stringify(
      [world.host, ...world.members.values()].map(
        ({ writes }) => writes.filter(({ resource }) => !GOES_ON.has(resource)).length
      )
    )
  const before = count()
  world.run(100_000)
  const after = count()
  assert.strictEqual(after, before, `writes without a reason: ${JSON.stringify(world.host.writes.slice(-6))}`)
}

describe("a federation", () => {
  it("comes to rest with members exactly as placed, whatever happened", { timeout: 120_000 }, () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 2 ** 30 }),
        fc.array(timed, { minLength: 1, maxLength: 14 }),
        (seed, events) => {
          const play = new Play(seed)
          for (const event of events) play.play(event)
          play.rest()
          judgeMembers(play)
          judgeQuiet(play)
          play.world.crash()
        }
      ),
      { numRuns: Number(process.env["FEDERATION_RUNS"] ?? 25) }
    )
  })

  it(
    "never empties a placement because its policy is gone, or because all clusters are lost",
    { timeout: 120_000 },
    () => {
      fc.assert(
        fc.property(
          fc.integer({ min: 1, max: 2 ** 30 }),
          fc.boolean(),
          fc.nat({ max: 60_000 }),
          (seed, loses, afterMs) => {
            const play = new Play(seed)
            const { world } = play
            world.make(world.host, deployments, "default", deployment("web", 4))
            assert.isTrue(world.until(() => managedIn(world, play.server("a")).has("web")))
            if (loses) for (const one of MEMBERS) play.server(one).ways.up = false
            else world.remove(world.host, federationResources.propagationPolicies, "default", "spread")
            world.run(afterMs)
            if (afterMs % 2 === 0) {
              world.crash()
              world.start()
            }
            world.change(world.host, deployments, "default", "web", { spec: { replicas: 0 } })
            world.run(400_000)
            for (const one of ["a", "b"])
              assert.isTrue(managedIn(world, play.server(one)).has("web"), `${one} was emptied`)
            const record = world.list(world.host, federationResources.objects).find((object) => isFor(object, "web"))!
            assert.deepStrictEqual(placedClusters(federatedSpecOf(record)), ["a", "b"], objectKey(record))
            world.crash()
          }
        ),
        { numRuns: 6 }
      )
    }
  )
})
