// EndpointSlices and Endpoints in a simulated cluster: after any churn of pods and services they are what a plain count of pods says.
import { array, assert as check, boolean, constantFrom, integer, nat, property, record } from "fast-check"
import { assert, describe, it } from "vitest"
import { type JsonObject, type KubeObject } from "#kube"
import { endpointSlicesWith } from "#sim"
import { controllersNamed, fields, items, Resources, textOf, UpkeepWorld } from "./UpkeepWorld.ts"

const { endpoints, nodes, pods, services, slices } = Resources
const runs = Number(process.env["UPKEEP_RUNS"] ?? 15)
const PER_SLICE = 4
const run = [
  { name: "endpointslice-controller", make: endpointSlicesWith({ perSliceMax: PER_SLICE }), syncs: 5 },
  ...controllersNamed("endpoints-controller", "endpointslice-mirroring-controller")
]

type Draft = KubeObject & { metadata: { name: string } }

const node = (name: string, zone: string): Draft => ({
  apiVersion: "v1",
  kind: "Node",
  metadata: { name, labels: { "topology.kubernetes.io/zone": zone } }
})

const service = (name: string, selector: JsonObject | undefined, more: JsonObject = {}): Draft => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: { name, namespace: "default" },
  spec: {
    ports: [
      { name: "web", port: 80, targetPort: "web" },
      { name: "raw", port: 90, targetPort: 9090 }
    ],
    ...(selector === undefined ? {} : { selector }),
    ...more
  }
})

const LABELS = ["red", "green"]
const NODES = ["n0", "n1", "n2"]

interface PodState {
  readonly app: string
  readonly ready: boolean
  readonly dual: boolean
  readonly webPort: number
}

const pod = (at: number, { app, webPort }: PodState): Draft => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: `p${at}`, namespace: "default", labels: { app } },
  spec: {
    nodeName: NODES[at % NODES.length],
    containers: [{ name: "c", image: "i", ports: [{ name: "web", containerPort: webPort }] }]
  }
})

const status = (at: number, { dual, ready }: PodState): JsonObject => ({
  phase: "Running",
  podIP: `10.0.0.${at + 1}`,
  podIPs: [{ ip: `10.0.0.${at + 1}` }, ...(dual ? [{ ip: `fd00::${at + 1}` }] : [])],
  conditions: [{ type: "Ready", status: ready ? "True" : "False", lastTransitionTime: "2026-01-01T00:00:00Z" }]
})

/** "address ready serving terminating zone web raw" of everything that a service must be found at, in one family. */
const expected = (
  all: ReadonlyArray<KubeObject>,
  app: string,
  publishes: boolean,
  isV6: boolean
): ReadonlyArray<string> =>
  all
    .filter(({ metadata }) => metadata.labels?.["app"] === app)
    .flatMap((one) => {
      const { conditions, podIPs } = fields(one.status)
      const [container] = items(fields(one.spec)["containers"])
      const serving = items(conditions)[0]?.["status"] === "True"
      const terminating = one.metadata.deletionTimestamp !== undefined
      const ready = publishes || (serving && !terminating)
      const zone = `z${Number(textOf(fields(one.spec)["nodeName"]).slice(1)) % 2}`
      const web = textOf(items(container?.["ports"])[0]?.["containerPort"])
      return items(podIPs)
        .map(({ ip }) => textOf(ip))
        .filter((ip) => ip.includes(":") === isV6)
        .map((ip) => `${ip} ${ready} ${serving} ${terminating} ${zone} ${web} 9090`)
    })
    .sort()

const found = (all: ReadonlyArray<KubeObject>, family: string): ReadonlyArray<string> =>
  all
    .filter((slice) => slice["addressType"] === family)
    .flatMap((slice) => {
      const port = (name: string): unknown => items(slice["ports"]).find((one) => one["name"] === name)?.["port"]
      return items(slice["endpoints"]).map((endpoint) => {
        const { ready, serving, terminating } = fields(endpoint["conditions"])
        const [address] = endpoint["addresses"] as ReadonlyArray<string>
        return [address, ready, serving, terminating, endpoint["zone"], port("web"), port("raw")].map(textOf).join(" ")
      })
    })
    .sort()

const states = record<PodState>({
  app: constantFrom(...LABELS, "other"),
  ready: boolean(),
  dual: boolean(),
  webPort: constantFrom(8080, 8080, 8081)
})

const steps = array(
  record({
    at: nat(19),
    state: states,
    kind: constantFrom("put", "put", "put", "delete", "terminate", "relabel"),
    wait: constantFrom(0, 0, 5, 50)
  }),
  { minLength: 10, maxLength: 60 }
)

const play = (
  world: UpkeepWorld,
  all: ReadonlyArray<{ at: number; state: PodState; kind: string; wait: number }>
): void => {
  const lives = new Set<number>()
  for (const { at, kind, state, wait } of all) {
    const key = ["default", `p${at}`] as const
    if (kind === "put" && !lives.has(at)) {
      world.create(pods, pod(at, state))
      lives.add(at)
    }
    if (!lives.has(at)) continue
    const isGoing = world.get(pods, ...key)?.metadata.deletionTimestamp !== undefined
    if (kind === "put") world.change(pods, key, (one) => ({ ...one, status: status(at, state) }), "status")
    else if (kind === "relabel")
      world.change(pods, key, (one) => ({ ...one, metadata: { ...one.metadata, labels: { app: state.app } } }))
    else if (kind === "terminate" && !isGoing) world.delete(pods, ...key)
    else if (kind === "delete") {
      world.delete(pods, ...key, { gracePeriodSeconds: 0 })
      lives.delete(at)
    }
    world.pass(wait)
  }
}

describe("services with selectors", () => {
  it("have in their slices and Endpoints what their pods say, and never too much in one", () => {
    check(
      property(steps, integer({ min: 1, max: 1000 }), (all, seed) => {
        const world = new UpkeepWorld({ run, seed })
        for (const [at, name] of NODES.entries()) world.create(nodes, node(name, `z${at % 2}`))
        world.create(services, service("red", { app: "red" }))
        const both = { ipFamilies: ["IPv4", "IPv6"], ipFamilyPolicy: "PreferDualStack", clusterIP: "None" }
        world.create(services, service("green", { app: "green" }, { ...both, publishNotReadyAddresses: true }))
        play(world, all)
        world.pass(120_000)
        const held = world.list(slices)
        const live = world.list(pods)
        for (const [name, families, publishes] of [
          ["red", ["IPv4"] as ReadonlyArray<string>, false],
          ["green", ["IPv4", "IPv6"] as ReadonlyArray<string>, true]
        ] as const) {
          const own = held.filter(({ metadata }) => metadata.labels?.["kubernetes.io/service-name"] === name)
          for (const family of families)
            assert.deepStrictEqual(found(own, family), expected(live, name, publishes, family === "IPv6"), family)
          assert.sameMembers([...new Set(own.map((slice) => textOf(slice["addressType"])))], [...families])
          for (const slice of own) {
            assert.isAtMost(items(slice["endpoints"]).length, PER_SLICE)
            assert.strictEqual(slice.metadata.ownerReferences?.[0]?.name, name)
          }
          const addresses = items(world.get(endpoints, "default", name)?.["subsets"]).flatMap((subset) => [
            ...items(subset["addresses"]).map(({ ip }) => `${textOf(ip)} true`),
            ...items(subset["notReadyAddresses"]).map(({ ip }) => `${textOf(ip)} false`)
          ])
          const wanted = expected(live, name, publishes, false)
            .filter((line) => publishes || line.split(" ")[3] === "false")
            .map((line) => line.split(" ").slice(0, 2).join(" "))
          assert.deepStrictEqual([...new Set(addresses)].sort(), wanted.sort(), "Endpoints")
        }
        assert.deepStrictEqual(world.failures, [])
      }),
      { numRuns: runs }
    )
  })

  it("keep their traffic close when they ask for it", () => {
    const world = new UpkeepWorld({ run })
    for (const [at, name] of NODES.entries()) world.create(nodes, node(name, `z${at % 2}`))
    const made = service("red", { app: "red" }, { trafficDistribution: "PreferSameNode" })
    world.create(services, made)
    const state = { app: "red", ready: true, dual: false, webPort: 8080 }
    for (const at of [0, 1, 2]) {
      world.create(pods, pod(at, state))
      world.change(pods, ["default", `p${at}`], (one) => ({ ...one, status: status(at, state) }), "status")
    }
    world.pass(2000)
    const hints = () => world.list(slices).flatMap((slice) => items(slice["endpoints"]).map((one) => one["hints"]))
    assert.sameDeepMembers(
      [...hints()],
      [0, 1, 2].map((at) => ({ forNodes: [{ name: `n${at}` }], forZones: [{ name: `z${at % 2}` }] }))
    )
    world.change(services, ["default", "red"], (one) => {
      const { trafficDistribution: _, ...spec } = fields(one.spec)
      return { ...one, spec }
    })
    world.pass(2000)
    assert.deepStrictEqual(hints(), [undefined, undefined, undefined])
  })
})

it("cuts Endpoints at a thousand addresses, ready ones first, and says so", () => {
  const world = new UpkeepWorld({ run: controllersNamed("endpoints-controller") })
  const state = { app: "red", ready: true, dual: false, webPort: 8080 }
  for (let at = 0; at < 1003; at++) {
    const made = pod(at, state)
    const ip = `10.0.${Math.floor(at / 200)}.${(at % 200) + 1}`
    world.client.create({ resource: pods, namespace: "default" }, made, {}, () =>
      world.client.patch(
        { resource: pods, namespace: "default", name: made.metadata.name, subresource: "status" },
        {
          type: "merge",
          body: { status: { ...status(at, { ...state, ready: at >= 5 }), podIP: ip, podIPs: [{ ip }] } }
        },
        {},
        () => undefined
      )
    )
  }
  world.pass(5000)
  world.create(services, service("red", { app: "red" }))
  world.pass(5000)
  const held = world.get(endpoints, "default", "red")
  assert.strictEqual(held?.metadata.annotations?.["endpoints.kubernetes.io/over-capacity"], "truncated")
  const [subset] = items(held?.["subsets"])
  assert.lengthOf(items(subset?.["addresses"]), 998)
  assert.lengthOf(items(subset?.["notReadyAddresses"]), 2)
})

it("mirrors Endpoints that people keep for services without a selector", () => {
  const world = new UpkeepWorld({ run })
  world.create(services, service("far", undefined))
  const subsets = [
    {
      addresses: [{ ip: "192.0.2.1" }, { ip: "2001:db8::1" }],
      notReadyAddresses: [{ ip: "192.0.2.2" }],
      ports: [{ name: "web", port: 80, protocol: "TCP" }]
    }
  ]
  const metadata = { name: "far", namespace: "default", labels: { team: "x" }, annotations: { note: "y" } }
  world.create(endpoints, { apiVersion: "v1", kind: "Endpoints", metadata, subsets })
  world.pass(3000)
  const mirrored = () =>
    world.list(slices).map((slice) => ({
      family: slice["addressType"],
      addresses: items(slice["endpoints"]).flatMap((one) => [
        `${textOf((one["addresses"] as ReadonlyArray<string>)[0])} ${textOf(fields(one["conditions"])["ready"])}`
      ]),
      label: slice.metadata.labels?.["team"],
      note: slice.metadata.annotations?.["note"]
    }))
  assert.sameDeepMembers(mirrored(), [
    { family: "IPv4", addresses: ["192.0.2.1 true", "192.0.2.2 false"], label: "x", note: "y" },
    { family: "IPv6", addresses: ["2001:db8::1 true"], label: "x", note: "y" }
  ])
  world.change(endpoints, ["default", "far"], (one) => ({ ...one, subsets: [{ ...subsets[0], addresses: [] }] }))
  world.pass(3000)
  assert.deepStrictEqual(mirrored(), [{ family: "IPv4", addresses: ["192.0.2.2 false"], label: "x", note: "y" }])
  world.delete(services, "default", "far")
  world.pass(3000)
  assert.deepStrictEqual(mirrored(), [])
})
