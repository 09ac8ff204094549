// Claims and volumes in a simulated cluster: whatever comes in whatever order, each claim has one volume, each volume one claim, and
// nobody gets too little.
import { array, assert as check, boolean, constantFrom, integer, nat, property, record } from "fast-check"
import { assert, describe, it } from "vitest"
import { type JsonObject, type KubeObject } from "#kube"
import { upkeepControllersWith } from "#sim"
import { controllersNamed, fields, Resources, textOf, UpkeepWorld } from "./UpkeepWorld.ts"

const { claims, classes, events, pods, volumes } = Resources
const runs = Number(process.env["UPKEEP_RUNS"] ?? 12)
const binder = controllersNamed(
  "persistentvolume-binder-controller",
  "persistentvolumeclaim-protection-controller",
  "persistentvolume-protection-controller"
)
const CLAIM_FINALIZER = "kubernetes.io/pvc-protection"
const VOLUME_FINALIZER = "kubernetes.io/pv-protection"

type Draft = KubeObject & { metadata: { name: string } }

const phase = (object: KubeObject | undefined): unknown => fields(object?.status)["phase"]
const gib = (text: unknown): number => Number(textOf(text).replace("Gi", ""))

interface VolumeShape {
  readonly size: number
  readonly storageClass: string
  readonly modes: ReadonlyArray<string>
  readonly tier: string
}

const volume = (name: string, { modes, size, storageClass, tier }: VolumeShape, more: JsonObject = {}): Draft => ({
  apiVersion: "v1",
  kind: "PersistentVolume",
  metadata: { name, labels: { tier }, finalizers: [VOLUME_FINALIZER] },
  spec: {
    capacity: { storage: `${size}Gi` },
    accessModes: modes,
    storageClassName: storageClass,
    persistentVolumeReclaimPolicy: "Retain",
    csi: { driver: "d.example.com", volumeHandle: name },
    ...more
  }
})

const claim = (name: string, { modes, size, storageClass, tier }: VolumeShape, more: JsonObject = {}): Draft => ({
  apiVersion: "v1",
  kind: "PersistentVolumeClaim",
  metadata: { name, namespace: "default", finalizers: [CLAIM_FINALIZER] },
  spec: {
    accessModes: modes,
    resources: { requests: { storage: `${size}Gi` } },
    storageClassName: storageClass,
    ...(tier === "any" ? {} : { selector: { matchLabels: { tier } } }),
    ...more
  }
})

const shape = (tiers: ReadonlyArray<string>) =>
  record<VolumeShape>({
    size: integer({ min: 1, max: 6 }),
    storageClass: constantFrom("", "slow", "fast"),
    modes: constantFrom(["ReadWriteOnce"], ["ReadOnlyMany"], ["ReadWriteOnce", "ReadOnlyMany"]),
    tier: constantFrom(...tiers)
  })

const steps = array(
  record({
    kind: constantFrom("volume", "volume", "claim", "claim", "unclaim", "named"),
    at: nat(9),
    volume: shape(["a", "b"]),
    claim: shape(["any", "any", "a"]),
    named: nat(9),
    quiet: boolean()
  }),
  { minLength: 8, maxLength: 40 }
)

describe("static binding", () => {
  it("joins claims and volumes one to one, never to too small or to unlike ones, and leaves no pair that fits", () => {
    check(
      property(steps, integer({ min: 1, max: 1000 }), (all, seed) => {
        const world = new UpkeepWorld({ run: binder, seed })
        const made = { volumes: 0, claims: new Set<string>() }
        for (const { at, claim: wanted, kind, named, quiet, volume: offered } of all) {
          const name = `c${at}`
          if (kind === "volume") world.create(volumes, volume(`v${made.volumes++}`, offered))
          else if (kind === "unclaim" && made.claims.delete(name)) {
            world.delete(claims, "default", name)
            world.pass(2000)
          } else if ((kind === "claim" || kind === "named") && !made.claims.has(name)) {
            const spec = kind === "named" ? { volumeName: `v${named}` } : {}
            world.create(claims, claim(name, wanted, spec))
            made.claims.add(name)
          }
          if (quiet) world.pass(100)
        }
        world.pass(120_000)
        const held = new Map(world.list(volumes).map((one) => [one.metadata.name, one] as const))
        const taken = new Set<string>()
        for (const one of world.list(claims)) {
          const spec = fields(one.spec)
          if (phase(one) !== "Bound") {
            assert.strictEqual(phase(one), "Pending")
            continue
          }
          const name = textOf(spec["volumeName"])
          const to = held.get(name)
          const toSpec = fields(to?.spec)
          assert.isFalse(taken.has(name), `${name} is bound twice`)
          taken.add(name)
          assert.strictEqual(fields(toSpec["claimRef"])["uid"], one.metadata.uid)
          assert.strictEqual(phase(to), "Bound")
          const asked = fields(fields(spec["resources"])["requests"])["storage"]
          assert.isAtLeast(gib(fields(toSpec["capacity"])["storage"]), gib(asked))
          assert.strictEqual(toSpec["storageClassName"] ?? "", spec["storageClassName"])
          for (const mode of spec["accessModes"] as ReadonlyArray<string>) assert.include(toSpec["accessModes"], mode)
          assert.deepStrictEqual(fields(one.status)["capacity"], toSpec["capacity"])
        }
        for (const [name, one] of held)
          assert.include(taken.has(textOf(name)) ? ["Bound"] : ["Available", "Released"], phase(one), textOf(name))
        const free = [...held.values()].filter((one) => phase(one) === "Available")
        for (const one of world.list(claims)) {
          if (phase(one) === "Bound" || fields(one.spec)["volumeName"] !== undefined) continue
          const { accessModes, resources, selector, storageClassName } = fields(one.spec)
          const size = gib(fields(fields(resources)["requests"])["storage"])
          const tier = fields(fields(selector)["matchLabels"])["tier"]
          const fitting = free.filter(
            ({ metadata, spec }) =>
              gib(fields(fields(spec)["capacity"])["storage"]) >= size &&
              (fields(spec)["storageClassName"] ?? "") === storageClassName &&
              (tier === undefined || metadata.labels?.["tier"] === tier) &&
              (accessModes as ReadonlyArray<string>).every((mode) =>
                (fields(spec)["accessModes"] as ReadonlyArray<string>).includes(mode)
              )
          )
          assert.lengthOf(fitting, 0, `${one.metadata.name} could have a volume`)
        }
        // A claim may go while a write to it is on its way: that write fails, and the next look finds nothing to do.
        const expected = ["already claimed", "cannot be fulfilled", "not found"]
        const others = world.failures.filter((text) => !expected.some((part) => text.includes(part)))
        assert.deepStrictEqual(others, [])
      }),
      { numRuns: runs }
    )
  })

  it("takes the smallest that fits, and says in a claim that asks by name why not", () => {
    const world = new UpkeepWorld({ run: binder })
    const like = { modes: ["ReadWriteOnce"], storageClass: "slow", tier: "a" }
    for (const size of [5, 3, 9]) world.create(volumes, volume(`v${size}`, { ...like, size }))
    world.pass(1000)
    world.create(claims, claim("c", { ...like, size: 2, tier: "any" }))
    world.create(claims, claim("big", { ...like, size: 8, tier: "any" }, { volumeName: "v5" }))
    world.pass(1000)
    assert.strictEqual(fields(world.get(claims, "default", "c")?.spec)["volumeName"], "v3")
    assert.strictEqual(phase(world.get(claims, "default", "big")), "Pending")
    const told = world.list(events).find((event) => event["reason"] === "VolumeMismatch")
    assert.strictEqual(told?.["message"], 'Cannot bind to requested volume "v5": requested PV is too small')
    world.delete(claims, "default", "c")
    world.pass(1000)
    assert.strictEqual(phase(world.get(volumes, "", "v3")), "Released")
    world.delete(volumes, "", "v3")
    world.pass(1000)
    assert.isUndefined(world.get(volumes, "", "v3"))
  })
})

describe("provisioning", () => {
  const run = [...binder, ...controllersNamed("ephemeral-volume-controller"), ...upkeepControllersWith({ storage: {} })]
  const like = { modes: ["ReadWriteOnce"], size: 1, storageClass: "quick", tier: "any" }
  const storageClass = (name: string, volumeBindingMode: string, annotations = {}): Draft => ({
    apiVersion: "storage.k8s.io/v1",
    kind: "StorageClass",
    metadata: { name, annotations },
    provisioner: "disk.example.com",
    reclaimPolicy: "Delete",
    volumeBindingMode
  })

  it("makes a volume for a claim of a class, and takes it away with the claim", () => {
    const world = new UpkeepWorld({ run })
    world.create(classes, storageClass("quick", "Immediate"))
    world.create(claims, claim("c", like))
    world.pass(20_000)
    const bound = world.get(claims, "default", "c")
    assert.strictEqual(phase(bound), "Bound")
    const name = `pvc-${bound?.metadata.uid}`
    assert.strictEqual(fields(bound?.spec)["volumeName"], name)
    assert.strictEqual(bound?.metadata.annotations?.["volume.kubernetes.io/storage-provisioner"], "disk.example.com")
    const unused = (fields(bound?.status)["conditions"] as ReadonlyArray<JsonObject>).find(
      ({ type }) => type === "Unused"
    )
    assert.deepInclude(unused, { status: "True", reason: "NoPodsUsingPVC" })
    world.delete(claims, "default", "c")
    world.pass(40_000)
    assert.deepStrictEqual([...world.names(claims), ...world.names(volumes)], [])
  })

  it("waits for the first consumer where the class says so, and for the class where the claim says none", () => {
    const world = new UpkeepWorld({ run })
    world.create(classes, storageClass("late", "WaitForFirstConsumer"))
    world.create(claims, claim("c", { ...like, storageClass: "late" }))
    const { storageClassName: _, ...spec } = fields(claim("none", like).spec)
    world.create(claims, { ...claim("none", like), spec })
    world.pass(20_000)
    assert.strictEqual(phase(world.get(claims, "default", "c")), "Pending")
    assert.include(world.eventReasons(), "WaitForFirstConsumer")
    world.change(claims, ["default", "c"], (one) => ({
      ...one,
      metadata: { ...one.metadata, annotations: { "volume.kubernetes.io/selected-node": "n1" } }
    }))
    world.create(classes, storageClass("quick", "Immediate", { "storageclass.kubernetes.io/is-default-class": "true" }))
    world.pass(60_000)
    for (const name of ["c", "none"]) assert.strictEqual(phase(world.get(claims, "default", name)), "Bound", name)
    assert.strictEqual(fields(world.get(claims, "default", "none")?.spec)["storageClassName"], "quick")
  })

  it("gives a pod its own claim, which stays while the pod uses it", () => {
    const world = new UpkeepWorld({ run, nodeGroups: [{ name: "node", count: 1 }] })
    world.create(classes, storageClass("quick", "Immediate"))
    const template = { spec: fields(claim("x", like).spec) }
    world.create(pods, {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "p", namespace: "default" },
      spec: {
        containers: [{ name: "c", image: "i" }],
        volumes: [{ name: "data", ephemeral: { volumeClaimTemplate: template } }]
      }
    })
    world.pass(30_000)
    const own = world.get(claims, "default", "p-data")
    assert.strictEqual(phase(own), "Bound")
    assert.strictEqual(own?.metadata.ownerReferences?.[0]?.kind, "Pod")
    world.delete(claims, "default", "p-data")
    world.pass(30_000)
    assert.isDefined(world.get(claims, "default", "p-data"))
    world.delete(pods, "default", "p")
    world.pass(90_000)
    assert.isUndefined(world.get(claims, "default", "p-data"))
  })
})
