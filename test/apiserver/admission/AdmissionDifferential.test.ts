// The same namespaces, limits, quotas and pods on a real kube-apiserver and on ours: the same is let in, refused in the same words,
// warned of alike, and what is let in was given the same.
import * as fc from "fast-check"
import { afterAll, assert, beforeAll, it } from "vitest"
import { ApiFailure, type KubeObject, parseApiVersion } from "#kube"
import { describeWith } from "../../Judges.ts"
import { type RealApiServer, startApiServer } from "../../kube/RealApiServer.ts"
import { AdmittedWorld, namespace, thing } from "./AdmittedWorld.ts"

const SEED = Number(process.env["SEED"] ?? 20_261_124)

const optional = <A>(arbitrary: fc.Arbitrary<A>): fc.Arbitrary<A | undefined> =>
  fc.option(arbitrary, { nil: undefined, freq: 2 })

const security = fc.record(
  {
    privileged: fc.constant(true),
    allowPrivilegeEscalation: fc.constant(false),
    runAsNonRoot: fc.boolean(),
    runAsUser: fc.constantFrom(0, 1000),
    capabilities: fc.record(
      { add: fc.subarray(["NET_BIND_SERVICE", "SYS_ADMIN", "CHOWN", "NET_RAW"]), drop: fc.subarray(["ALL", "KILL"]) },
      { requiredKeys: [] }
    ),
    seccompProfile: fc.constantFrom({ type: "RuntimeDefault" }, { type: "Unconfined" }),
    appArmorProfile: fc.constantFrom({ type: "RuntimeDefault" }, { type: "Unconfined" }),
    seLinuxOptions: fc.constantFrom(
      { type: "container_t" },
      { type: "spc_t" },
      { user: "u" },
      { role: "r", type: "x" }
    ),
    procMount: fc.constantFrom("Default", "Unmasked")
  },
  { requiredKeys: [] }
)
const podSecurity = fc.record(
  {
    runAsNonRoot: fc.boolean(),
    runAsUser: fc.constantFrom(0, 1000),
    seccompProfile: fc.constantFrom({ type: "RuntimeDefault" }, { type: "Unconfined" }),
    seLinuxOptions: fc.constantFrom({ type: "container_t" }, { type: "spc_t" }),
    appArmorProfile: fc.constantFrom({ type: "RuntimeDefault" }, { type: "Unconfined" }),
    sysctls: fc.subarray([
      { name: "kernel.msgmax", value: "1" },
      { name: "net.ipv4.tcp_syncookies", value: "1" },
      { name: "net.core.somaxconn", value: "1" }
    ])
  },
  { requiredKeys: [] }
)
const amounts = fc.record(
  { cpu: fc.constantFrom("50m", "100m", "500m", "1", "2"), memory: fc.constantFrom("32Mi", "64Mi", "1Gi") },
  { requiredKeys: [] }
)
const resources = fc.record({ requests: amounts, limits: amounts }, { requiredKeys: [] })
const ports = fc.uniqueArray(
  fc.record(
    { containerPort: fc.constantFrom(80, 443), hostPort: fc.constantFrom(8080, 9090) },
    { requiredKeys: ["containerPort"] }
  ),
  { maxLength: 1 }
)
const container = fc.record(
  {
    securityContext: security,
    ports,
    resources,
    livenessProbe: fc.constantFrom({ tcpSocket: { port: 80 } }, { tcpSocket: { port: 80, host: "h" } })
  },
  { requiredKeys: [] }
)
const volume = fc.constantFrom(
  { hostPath: { path: "/x" } },
  { emptyDir: {} },
  { nfs: { server: "s", path: "/" } },
  { configMap: { name: "m" } }
)

const podSpec = fc
  .record({
    hostNetwork: optional(fc.constant(true)),
    hostPID: optional(fc.constant(true)),
    securityContext: optional(podSecurity),
    containers: fc.array(container, { minLength: 1, maxLength: 2 }),
    initContainers: fc.array(container, { maxLength: 1 }),
    volumes: fc.array(volume, { maxLength: 2 }),
    priorityClassName: fc.constantFrom(undefined, undefined, "system-node-critical", "none"),
    priority: fc.constantFrom(undefined, undefined, undefined, 0, 5),
    tolerations: fc.constantFrom(
      undefined,
      [{ operator: "Exists" }],
      [{ key: "node.kubernetes.io/not-ready", operator: "Exists", effect: "NoExecute", tolerationSeconds: 5 }]
    ),
    activeDeadlineSeconds: fc.constantFrom(undefined, undefined, 10)
  })
  .map((spec) => {
    const named = (prefix: string, list: ReadonlyArray<object>): ReadonlyArray<object> =>
      list.map((one, at) => ({ name: `${prefix}${at}`, image: "i", ...one }))
    return {
      ...spec,
      containers: named("c", spec.containers),
      initContainers: named("i", spec.initContainers),
      volumes: spec.volumes.map((one, at) => ({ name: `v${at}`, ...one }))
    }
  })

/** Pods that ask for no more than amounts and priorities, so that limits and quotas have the word. */
const plainSpec = fc.record({
  containers: fc
    .array(
      fc.record({
        cpu: fc.constantFrom("50m", "100m", "400m", "900m"),
        limit: fc.constantFrom(undefined, "100m", "900m", "2"),
        memory: fc.constantFrom("32Mi", "64Mi", "1Gi"),
        bare: fc.constantFrom(false, false, false, true)
      }),
      { minLength: 1, maxLength: 2 }
    )
    .map((list) =>
      list.map(({ bare, cpu, limit, memory }, at) => {
        const limits = { memory: "1Gi", ...(limit === undefined ? {} : { cpu: limit }) }
        return { name: `c${at}`, image: "i", ...(bare ? {} : { resources: { requests: { cpu, memory }, limits } }) }
      })
    ),
  priorityClassName: fc.constantFrom(undefined, undefined, undefined, "system-node-critical", "none"),
  activeDeadlineSeconds: fc.constantFrom(undefined, undefined, 10)
})

/** Pods that are nearly good: one or two things of the other kind on what the strictest level lets in. */
const nearlyGood = fc
  .tuple(podSpec, fc.subarray(["securityContext", "volumes", "hostPID"] as const, { maxLength: 1 }))
  .map(([spec, kept]) => {
    const good = { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } }
    const containers = spec.containers.map((one, at) => ({
      name: `c${at}`,
      image: "i",
      securityContext: at === 1 ? (one as { securityContext?: object }).securityContext : good
    }))
    const own = { runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } }
    const taken = Object.fromEntries(kept.map((field) => [field, spec[field]]))
    return { securityContext: own, containers, ...taken }
  })

/** What of an answer must agree. */
interface Said {
  readonly code: number
  readonly message: string
  readonly warnings: ReadonlyArray<string>
  readonly object: KubeObject | undefined
}

describeWith("kube-apiserver", "etcd")("a real kube-apiserver", (programs) => {
  let server: RealApiServer
  beforeAll(async () => {
    server = await startApiServer(programs, ["--allow-privileged"])
  })
  afterAll(() => server.stop())

  const path = ({ apiVersion, metadata }: KubeObject, resource: string): string => {
    const { group } = parseApiVersion(apiVersion)
    const base = group === "" ? `/api/${apiVersion}` : `/apis/${apiVersion}`
    return `${base}${metadata.namespace === undefined ? "" : `/namespaces/${metadata.namespace}`}/${resource}`
  }
  const send = async (method: string, to: string, body: object): Promise<Said> => {
    const answer = await server.call(method, to, {
      body: JSON.stringify(body),
      headers: { "content-type": "application/json" }
    })
    const parsed = JSON.parse(answer.body)
    const warning = answer.headers["warning"]
    const warnings = [warning ?? []].flat().flatMap((one) => one.split(/, (?=299 )/))
    return {
      code: answer.code,
      message: answer.code < 300 ? "" : parsed.message,
      warnings: warnings.map((one) => JSON.parse(/^299 - (".*")$/.exec(one)?.[1] ?? '""')),
      object: answer.code < 300 ? parsed : undefined
    }
  }
  const ours = (world: AdmittedWorld, resource: string, object: KubeObject): Said => {
    const made = world.attempt(resource, object)
    return made instanceof ApiFailure
      ? { code: made.code, message: made.message, warnings: [], object: undefined }
      : { code: 201, message: "", warnings: world.warnings, object: made }
  }
  // Each rule of a range is checked in the order of Go's maps, which is none.
  const ordered = (message: string): string =>
    message.replace(
      /is forbidden: \[(.*)\]$/,
      (_all, list: string) =>
        `is forbidden: ${list
          .split(/, (?=m[ai][nx]imum|cpu max|memory max)/)
          .sort()
          .join("|")}`
    )

  const both = async (world: AdmittedWorld, resource: string, object: KubeObject): Promise<readonly [Said, Said]> => [
    await send("POST", path(object, resource), object),
    ours(world, resource, object)
  ]

  it("refuses, warns of and completes the same pods", async () => {
    console.log(`seed ${SEED}`)
    const world = new AdmittedWorld({ disable: ["ServiceAccount"] })
    const label = (mode: string) => `pod-security.kubernetes.io/${mode}`
    const limits = [
      {
        type: "Container",
        default: { cpu: "500m" },
        defaultRequest: { memory: "64Mi" },
        max: { cpu: "1" },
        min: { memory: "64Mi" }
      },
      { type: "Pod", max: { cpu: "1500m" } }
    ]
    const spaces: ReadonlyArray<readonly [string, Record<string, string>]> = [
      ["baseline", { [label("enforce")]: "baseline", [label("warn")]: "restricted" }],
      ["restricted", { [label("enforce")]: "restricted" }],
      ["limited", {}],
      ["quota", {}]
    ]
    for (const [name, labels] of spaces) await both(world, "namespaces", namespace(name, labels))
    await both(world, "limitranges", thing("v1", "LimitRange", "l", { spec: { limits } }, "limited"))
    const hard = { pods: "20", "requests.cpu": "3", "limits.memory": "4Gi" }
    for (const [name, more] of [
      ["all", {}],
      ["ends", { scopes: ["Terminating"] }],
      ["best", { scopes: ["BestEffort"] }]
    ] as const) {
      const spec = { hard: name === "all" ? hard : { pods: "3" }, ...more }
      const used = Object.fromEntries(Object.keys(spec.hard).map((key) => [key, "0"]))
      const quota = thing("v1", "ResourceQuota", name, { spec }, "quota")
      const [theirs, our] = await both(world, "resourcequotas", quota)
      const status = { hard: spec.hard, used }
      await send("PUT", `${path(quota, "resourcequotas")}/${name}/status`, { ...theirs.object, status })
      world.change("resourcequotas", { ...our.object!, status }, undefined, "status")
    }
    await new Promise((resolve) => setTimeout(resolve, 1500))
    let letIn = 0
    const [wild, near, plain] = [podSpec, nearlyGood, plainSpec].map((kind, at) =>
      fc.sample<object>(kind, { numRuns: 200, seed: SEED + at })
    )
    const specs = wild.flatMap((spec, at) => [spec, near[at], plain[at]])
    for (const [at, spec] of specs.entries()) {
      const [space] = spaces[(at % 3 === 2 ? 2 : 0) + (Math.floor(at / 3) % 2)]
      const pod = {
        apiVersion: "v1",
        kind: "Pod",
        metadata: { name: `p${at}`, namespace: space },
        spec
      } as unknown as KubeObject
      const [theirs, our] = await both(world, "pods", JSON.parse(JSON.stringify(pod)))
      const about = `${space} ${JSON.stringify(spec)}`
      // What is invalid is for validation to say, not for admission.
      if (theirs.code === 422) continue
      assert.strictEqual(ordered(our.message), ordered(theirs.message), about)
      assert.strictEqual(our.code, theirs.code, about)
      const securityWarnings = (said: Said) => said.warnings.filter((one) => one.includes("PodSecurity"))
      assert.deepStrictEqual(securityWarnings(our), securityWarnings(theirs), about)
      if (theirs.object === undefined) continue
      letIn++
      assert.deepEqual(our.object?.spec, theirs.object.spec, about)
      assert.deepEqual(our.object?.metadata.annotations, theirs.object.metadata.annotations, about)
    }
    assert.isAbove(letIn, 100)
    assert.isBelow(letIn, 500)
  })
})
