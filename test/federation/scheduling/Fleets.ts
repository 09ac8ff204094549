// Clusters, policies and objects for tests, told in few words; each is what the API's own objects are read as.
import {
  defaultSchedulingProfile,
  FEDERATION_API_VERSION,
  Fleet,
  type MemberCluster,
  nowhere,
  type Outcome,
  type Placement,
  type PropagationPolicy,
  propagationPolicyOf,
  schedule,
  type ScheduleRequest,
  type SchedulingProfile,
  schedulingProfileOf,
  type SchedulingUnit
} from "#federation"
import { gvr, type Json } from "#kube"

export const NOW = Date.UTC(2026, 10, 24, 4)

const types: ReadonlySet<string> = new Set(["apps/v1/Deployment", "v1/ConfigMap"])

export const cluster = (name: string, more: Partial<MemberCluster> = {}): MemberCluster => ({
  name,
  uid: `uid-${name}`,
  labels: {},
  taints: [],
  joined: true,
  joinedMs: NOW - 1_000_000,
  ready: true,
  terminating: false,
  types,
  allocatable: new Map([
    ["cpu", 10_000],
    ["memory", 100_000]
  ]),
  available: new Map([
    ["cpu", 10_000],
    ["memory", 100_000]
  ]),
  ...more
})

export const fleetOf = (...clusters: ReadonlyArray<MemberCluster | string>): Fleet =>
  Fleet.of(clusters.map((one) => (typeof one === "string" ? cluster(one) : one)))

export const taint = (
  key: string,
  effect: MemberCluster["taints"][number]["effect"],
  addedMs = NOW
): MemberCluster["taints"][number] => ({ key, value: "", effect, addedMs })

export const policy = (spec: Record<string, Json>, name = "p", kind = "PropagationPolicy"): PropagationPolicy =>
  propagationPolicyOf({
    apiVersion: FEDERATION_API_VERSION,
    kind,
    metadata: { name, uid: `uid-${kind}-${name}`, ...(kind === "PropagationPolicy" ? { namespace: "team" } : {}) },
    spec: { schedulingMode: "Divide", ...spec }
  })

export const profile = (spec: Json): SchedulingProfile =>
  schedulingProfileOf({
    apiVersion: FEDERATION_API_VERSION,
    kind: "SchedulingProfile",
    metadata: { name: "mine" },
    spec
  })

export const unit = (more: Partial<SchedulingUnit> = {}): SchedulingUnit => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  resource: gvr("apps", "v1", "deployments"),
  namespace: "team",
  name: "web",
  labels: {},
  annotations: {},
  replicas: 6,
  request: new Map([["cpu", 100]]),
  limited: new Map(),
  evicted: new Map(),
  capacity: new Map(),
  ...more
})

export const placed = (
  clusters: Record<string, number | undefined>,
  leaving: Placement["leaving"] = new Map()
): Placement => ({
  clusters: new Map(Object.entries(clusters)),
  leaving
})

export const request = (more: Partial<ScheduleRequest> = {}): ScheduleRequest => ({
  unit: unit(),
  fleet: fleetOf("a", "b", "c"),
  policy: policy({}),
  profile: defaultSchedulingProfile,
  previous: nowhere,
  nowMs: NOW,
  ...more
})

export const decide = (more: Partial<ScheduleRequest> = {}): Outcome => schedule(request(more))

/** Replicas by cluster. */
export const shown = ({ placement }: Outcome): Record<string, number | undefined> =>
  Object.fromEntries(placement.clusters)
