// The short way of a lease's renewal against the whole way: two servers that differ in nothing else live through the same writes, and
// must answer, store and tell watchers the same.
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { builtInDefinitions, type ApiServerOptions, defaultResourcesContext, makeDefinitions } from "#apiserver"
import { ApiFailure, type KubeObject, type WriteOptions } from "#kube"
import { Heard, inNamespace, named, World } from "./World.ts"

const leases = inNamespace("leases", "kube-node-lease", "coordination.k8s.io")
const NAMES = ["a", "b"]

/** A server of leases; on the whole way no kind says what a refresh is. */
const server = (short: boolean, more: Partial<ApiServerOptions> = {}): World => {
  const definitions = builtInDefinitions(defaultResourcesContext)
    .filter(({ resource }) => resource === "leases")
    .map((definition) => {
      const { refreshes: _short, ...strategy } = definition.strategy
      return short ? definition : { ...definition, strategy }
    })
  return new World({ definitions: makeDefinitions(definitions), ...more })
}

const lease = (name: string, spec: object): KubeObject =>
  ({ apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata: { name }, spec }) as KubeObject

const time = (second: number, rest = ".000000Z"): string => `2026-11-24T04:00:${String(second).padStart(2, "0")}${rest}`

type Spec = Readonly<Record<string, unknown>>

/** One write of a lease as a client has it: how the spec it saw becomes another, and how the metadata. */
interface Step {
  readonly name: string
  /** Which of the versions that the client has seen it starts from: 0 the newest. */
  readonly age: number
  readonly spec: (spec: Spec) => Spec
  readonly metadata: (metadata: KubeObject["metadata"]) => KubeObject["metadata"]
  readonly options: WriteOptions
  /** Whether the next write goes out before this one is answered. */
  readonly together: boolean
}

const steps: fc.Arbitrary<ReadonlyArray<Step>> = fc.array(
  fc.record({
    name: fc.constantFrom(...NAMES),
    age: fc.constantFrom(0, 0, 0, 0, 1, 2),
    spec: fc.oneof(
      { weight: 6, arbitrary: fc.nat(59).map((second) => (spec: Spec) => ({ ...spec, renewTime: time(second) })) },
      fc.constantFrom(
        (spec: Spec) => spec,
        (spec: Spec) => ({ ...spec, renewTime: time(1, ".5Z") }),
        (spec: Spec) => ({ ...spec, renewTime: time(1, ".000000+01:00") }),
        (spec: Spec) => ({ ...spec, renewTime: time(1), holderIdentity: "other" }),
        (spec: Spec) => ({ ...spec, renewTime: time(2), leaseDurationSeconds: -1 }),
        (spec: Spec) => ({ ...spec, renewTime: time(3), strategy: "OldestEmulationVersion" }),
        (spec: Spec) => ({ ...spec, renewTime: time(4), unknown: true }),
        (spec: Spec) => ({ renewTime: spec["renewTime"] }),
        () => ({})
      )
    ),
    metadata: fc.oneof(
      { weight: 6, arbitrary: fc.constant((metadata: KubeObject["metadata"]) => metadata) },
      fc.constantFrom(
        (metadata: KubeObject["metadata"]) => ({ ...metadata }),
        (metadata: KubeObject["metadata"]) => ({ ...metadata, labels: { app: "a" } }),
        (metadata: KubeObject["metadata"]) => ({ ...metadata, resourceVersion: "1" }),
        (metadata: KubeObject["metadata"]) => ({ ...metadata, resourceVersion: "" })
      )
    ),
    options: fc.constantFrom<WriteOptions>({}, {}, {}, { dryRun: true }, { fieldValidation: "Strict" }),
    together: fc.boolean()
  }),
  { minLength: 1, maxLength: 24 }
)

/** Everything that can be seen of a server that lives through the steps. */
const life = (world: World, plan: ReadonlyArray<Step>): unknown => {
  const heard = new Heard()
  world.client.watch(leases, {}, heard.listener)
  const seen = new Map<string, Array<KubeObject>>()
  for (const name of NAMES) {
    const spec = { holderIdentity: name, leaseDurationSeconds: 40, renewTime: time(0) }
    seen.set(name, [world.create(leases, lease(name, spec))])
  }
  const answers: Array<unknown> = []
  for (const { age, metadata, name, options, spec, together } of plan) {
    const versions = seen.get(name) ?? []
    const from = versions.at(-1 - age) ?? versions[0]
    const body = { ...from, metadata: metadata(from.metadata), spec: spec(from.spec as Spec) } as KubeObject
    const at = answers.push("nothing yet") - 1
    world.client.update(named(leases, name), body, options, (answer) => {
      answers[at] = answer instanceof ApiFailure ? answer.status : answer
      if (!(answer instanceof ApiFailure) && options.dryRun !== true) versions.push(answer)
    })
    if (!together) world.clockwork.settle()
  }
  world.clockwork.settle()
  const stored: Array<unknown> = []
  world.keyValue.page("/registry/leases/", "/registry/leases/", 0, 0, (page) => {
    if (page instanceof Error) return void stored.push(page.message)
    for (const { key, revision, value } of page.entries) stored.push([key, revision, Buffer.from(value).toString()])
  })
  return JSON.parse(JSON.stringify({ answers, stored, heard: heard.events, revision: world.store.revision }))
}

describe("a lease's renewal", () => {
  it("is on its short way what it is on the whole one", () => {
    fc.assert(
      fc.property(steps, (plan) => {
        assert.deepStrictEqual(life(server(true), plan), life(server(false), plan))
      }),
      { numRuns: 120 }
    )
  })

  it("goes the whole way when an admission plugin wants to see it", () => {
    const looked: Array<string> = []
    const plugin = {
      name: "Curious",
      handles: () => true,
      validate: (request: { readonly operation: string }, done: (failure: undefined) => void) => {
        looked.push(request.operation)
        done(undefined)
      }
    }
    const world = server(true, { admission: [plugin] })
    const made = world.create(leases, lease("a", { holderIdentity: "a", renewTime: time(0) }))
    world.update(named(leases, "a"), { ...made, spec: { holderIdentity: "a", renewTime: time(1) } })
    assert.deepStrictEqual(looked, ["CREATE", "UPDATE"])
  })

  it("takes the short way in the usual case", () => {
    const asked: Array<boolean> = []
    const definition = builtInDefinitions(defaultResourcesContext).find(({ resource }) => resource === "leases")
    const { refreshes = () => false, ...strategy } = definition?.strategy ?? {}
    const counting = (body: KubeObject, old: KubeObject): boolean => {
      const answer = refreshes(body, old)
      asked.push(answer)
      return answer
    }
    const world = new World({
      definitions: makeDefinitions(
        definition ? [{ ...definition, strategy: { ...strategy, refreshes: counting } }] : []
      )
    })
    let held = world.create(leases, lease("a", { holderIdentity: "a", renewTime: time(0) }))
    for (let second = 1; second <= 3; second++)
      held = world.update(named(leases, "a"), { ...held, spec: { holderIdentity: "a", renewTime: time(second) } })
    assert.deepStrictEqual(asked, [true, true, true])
    assert.strictEqual(held.metadata.resourceVersion, "5")
  })
})
