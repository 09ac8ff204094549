// The garbage collector in a simulated cluster: random graphs of owners under random deletions end as a plain model says.
import { array, assert as check, boolean, constantFrom, integer, nat, property, record, uniqueArray } from "fast-check"
import { assert, it } from "vitest"
import type { KubeObject, OwnerReference } from "#kube"
import { defaultNetwork, type FaultPlan } from "#sim"
import { type ModelOwner, OwnershipModel, type Policy } from "./OwnershipModel.ts"
import { controllersNamed, namespace, Resources, UpkeepWorld, type UpkeepWorldOptions } from "./UpkeepWorld.ts"

const run = controllersNamed("garbage-collector-controller")
const { clusterroles, configmaps } = Resources
const QUIET_MS = 3000

const reference = ({ apiVersion, kind, metadata }: KubeObject, blockOwnerDeletion = false): OwnerReference => ({
  apiVersion,
  kind,
  name: metadata.name ?? "",
  uid: metadata.uid ?? "",
  ...(blockOwnerDeletion ? { blockOwnerDeletion } : {})
})

/** An owner that never was, of a kind that the dependent may have as an owner. */
const ghost = (isNamespaced: boolean): OwnerReference =>
  isNamespaced
    ? { apiVersion: "v1", kind: "ConfigMap", name: "ghost", uid: "00000000-0000-4000-8000-000000000000" }
    : { apiVersion: "v1", kind: "Node", name: "ghost", uid: "00000000-0000-4000-8000-000000000001" }

interface Step {
  readonly kind: "create" | "delete" | "own"
  readonly object: number
  readonly owners: ReadonlyArray<{ readonly of: number; readonly blocks: boolean }>
  readonly policy: Policy
  /** Milliseconds before the next step; only some are long enough for all to come to rest. */
  readonly wait: number
}

const OBJECTS = 12
const NAMESPACES = ["one", "two"]

/** Every third object is in no namespace; the others are in one of two. */
const placeOf = (at: number): string => (at % 3 === 0 ? "" : NAMESPACES[at % 2])

const steps = array(
  record<Step>({
    kind: constantFrom("create", "create", "delete", "own"),
    object: nat(OBJECTS - 1),
    owners: uniqueArray(record({ of: integer({ min: -1, max: OBJECTS - 1 }), blocks: boolean() }), {
      maxLength: 3,
      selector: ({ of }) => of
    }),
    policy: constantFrom<Policy>("Background", "Foreground", "Orphan"),
    wait: constantFrom(0, 1, QUIET_MS)
  }),
  { minLength: 5, maxLength: 40 }
)

class Play {
  readonly world: UpkeepWorld
  readonly model = new OwnershipModel()
  /** Objects that were made, by number, as they were made. */
  private readonly made = new Map<number, KubeObject>()
  private count = 0

  constructor(options: Partial<UpkeepWorldOptions> = {}) {
    this.world = new UpkeepWorld({ run, ...options })
    for (const name of NAMESPACES) this.world.create(Resources.namespaces, namespace(name))
  }

  private idOf(at: number): string {
    return this.made.get(at)?.metadata.name ?? "ghost"
  }

  private draft(at: number, name: string, ownerReferences: ReadonlyArray<OwnerReference>): [typeof configmaps, never] {
    const metadata = { name, ownerReferences, ...(placeOf(at) === "" ? {} : { namespace: placeOf(at) }) }
    const object =
      placeOf(at) === ""
        ? { apiVersion: "rbac.authorization.k8s.io/v1", kind: "ClusterRole", metadata, rules: [] }
        : { apiVersion: "v1", kind: "ConfigMap", metadata }
    return [placeOf(at) === "" ? clusterroles : configmaps, object as never]
  }

  /** Owners that an object may have: what is in no namespace is owned by nothing that is in one. */
  private owners(step: Step): readonly [ReadonlyArray<ModelOwner>, ReadonlyArray<OwnerReference>] {
    const usable = step.owners.filter(({ of }) => placeOf(step.object) !== "" || of < 0 || placeOf(of) === "")
    const owners = usable.filter(({ of }) => of !== step.object)
    return [
      owners.map(({ blocks, of }) => ({ id: of < 0 ? "ghost" : this.idOf(of), blocks })),
      owners.map(({ blocks, of }) => {
        const owner = of < 0 ? undefined : this.made.get(of)
        return owner === undefined ? ghost(placeOf(step.object) !== "") : reference(owner, blocks)
      })
    ]
  }

  step(step: Step): void {
    // Orphaning lets go whom the collector knows of, and a write of owners conflicts with its own: these two start at rest.
    if (step.kind === "own" || step.policy === "Orphan") this.world.pass(QUIET_MS)
    const at = step.object
    const known = this.made.get(at)
    const lives = known !== undefined && this.model.objects.has(this.idOf(at))
    if (step.kind === "create" && !lives) {
      const [modelOwners, references] = this.owners(step)
      const name = `o${at}-${this.count++}`
      this.made.set(at, this.world.create(...this.draft(at, name, references)))
      this.model.add({ id: name, namespace: placeOf(at), owners: modelOwners })
    } else if (step.kind === "delete" && lives) {
      const [resource] = this.draft(at, "", [])
      const name = this.idOf(at)
      this.world.delete(resource, placeOf(at), name, { propagationPolicy: step.policy })
      this.model.delete(name, step.policy)
    } else if (step.kind === "own" && lives) {
      const [modelOwners, references] = this.owners(step)
      const [resource] = this.draft(at, "", [])
      this.world.change(resource, [placeOf(at), this.idOf(at)], (object) => ({
        ...object,
        metadata: { ...object.metadata, ownerReferences: references }
      }))
      this.model.own(this.idOf(at), modelOwners)
    }
    this.world.pass(step.wait)
  }

  /** What the server holds now, as the model writes it. */
  text(): ReadonlyArray<string> {
    const names = new Map(Array.from(this.made.values(), ({ metadata }) => [metadata.uid, metadata.name]))
    const objects = [...NAMESPACES.flatMap((one) => this.world.list(configmaps, one)), ...this.world.list(clusterroles)]
    return objects
      .map(({ metadata: { name, ownerReferences = [] } }) => {
        const owners = ownerReferences.map(({ uid }) => names.get(uid) ?? "ghost").sort()
        return `${name} <- ${owners.join(" ")}`
      })
      .sort()
  }
}

it("leaves of any graph what the model leaves", () => {
  check(
    property(steps, (all) => {
      const play = new Play()
      for (const step of all) play.step(step)
      play.world.pass(60_000)
      assert.deepStrictEqual(play.text(), play.model.text())
    }),
    { numRuns: Number(process.env["UPKEEP_RUNS"] ?? 25) }
  )
})

it("does so as well when it is cut off from the server and its past is compacted meanwhile", () => {
  const cuts = array(
    record({ atMs: integer({ min: 2000, max: 60_000 }), forMs: integer({ min: 1000, max: 40_000 }) }),
    {
      minLength: 1,
      maxLength: 3
    }
  )
  check(
    property(steps, cuts, nat(1000), (all, cut, seed) => {
      const faults: FaultPlan = cut.flatMap(({ atMs, forMs }) => [
        { kind: "partition", atMs, forMs, side: ["kube-controller-manager"], other: ["apiserver"] },
        { kind: "compact", atMs: atMs + forMs - 1, target: "apiserver", keep: 0 }
      ])
      const play = new Play({ seed, network: defaultNetwork, faults })
      // Orphaning lets go whom the collector has heard of, and it hears of nobody here.
      for (const step of all) if (step.policy !== "Orphan" && step.kind !== "own") play.step(step)
      play.world.pass(900_000)
      assert.deepStrictEqual(play.text(), play.model.text())
    }),
    { numRuns: Math.ceil(Number(process.env["UPKEEP_RUNS"] ?? 25) / 4) }
  )
})
