import { assert, describe, it } from "vitest"
import { ApiFailure, type KubeObject } from "#kube"
import type { UserInfo } from "#apiserver"
import { openssl } from "../../net/RealPrograms.ts"
import { account, AdmittedWorld, namespace, pod, thing } from "./AdmittedWorld.ts"

/** What JSON parses to: looked into without a check, as tests may. */
type Parsed = ReturnType<typeof JSON.parse>
const specOf = (object: KubeObject): Parsed => object.spec
const node = (name: string): UserInfo => ({ name: `system:node:${name}`, groups: ["system:nodes"] })

describe("namespaces", () => {
  it("must be there and live, and some stay for good", () => {
    const world = new AdmittedWorld()
    assert.strictEqual(
      world.refused("configmaps", thing("v1", "ConfigMap", "c", {}, "none")),
      'namespaces "none" not found'
    )
    for (const name of ["default", "kube-system", "kube-public"])
      assert.strictEqual(
        world.remove("namespaces", "", name),
        `namespaces "${name}" is forbidden: this namespace may not be deleted`
      )
    world.make("namespaces", namespace("dying"))
    world.make("configmaps", thing("v1", "ConfigMap", "before", {}, "dying"))
    world.remove("namespaces", "", "dying")
    const refused = world.attempt("configmaps", thing("v1", "ConfigMap", "after", {}, "dying"))
    assert(refused instanceof ApiFailure)
    assert.strictEqual(
      refused.message,
      'configmaps "after" is forbidden: unable to create new content in namespace dying because it is being terminated'
    )
    assert.deepStrictEqual(refused.status.details?.causes, [
      { reason: "NamespaceTerminating", message: "namespace dying is being terminated", field: "metadata.namespace" }
    ])
  })
})

describe("service accounts of pods", () => {
  it("are the default one, its token mounted where nothing else is", () => {
    const world = new AdmittedWorld()
    const made = specOf(
      world.make(
        "pods",
        pod("p", {
          containers: [
            { name: "a", image: "i" },
            {
              name: "b",
              image: "i",
              volumeMounts: [{ name: "own", mountPath: "/var/run/secrets/kubernetes.io/serviceaccount" }]
            }
          ],
          volumes: [{ name: "own", emptyDir: {} }]
        })
      )
    )
    assert.strictEqual(made["serviceAccountName"], "default")
    assert.strictEqual(made["serviceAccount"], "default")
    const [own, token] = made["volumes"]
    assert.strictEqual(own.name, "own")
    assert.match(token.name, /^kube-api-access-[a-z0-9]{5}$/)
    assert.deepStrictEqual(
      token.projected.sources.map((source: object) => Object.keys(source)[0]),
      ["serviceAccountToken", "configMap", "downwardAPI"]
    )
    assert.deepStrictEqual(made["containers"][0].volumeMounts, [
      { name: token.name, readOnly: true, mountPath: "/var/run/secrets/kubernetes.io/serviceaccount" }
    ])
    assert.lengthOf(made["containers"][1].volumeMounts, 1)
  })

  it("must exist; bring pull secrets; mount nothing when they or the pod say so", () => {
    const world = new AdmittedWorld()
    assert.strictEqual(
      world.refused("pods", pod("p", { serviceAccountName: "none" })),
      'pods "p" is forbidden: error looking up service account default/none: serviceaccount "none" not found'
    )
    world.make(
      "serviceaccounts",
      account("quiet", { automountServiceAccountToken: false, imagePullSecrets: [{ name: "pull" }] })
    )
    const quiet = specOf(world.make("pods", pod("q", { serviceAccountName: "quiet" })))
    assert.isUndefined(quiet["volumes"])
    assert.deepStrictEqual(quiet["imagePullSecrets"], [{ name: "pull" }])
    const loud = { serviceAccountName: "quiet", automountServiceAccountToken: true }
    assert.lengthOf(specOf(world.make("pods", pod("l", loud)))["volumes"], 1)
  })

  it("are waited for a moment where the default one is not there yet", () => {
    const world = new AdmittedWorld()
    world.make("namespaces", namespace("new"))
    const answers: Array<unknown> = []
    const request = {
      verb: "create",
      resource: { group: "", version: "v1", resource: "pods" },
      namespace: "new"
    } as const
    const body = pod("p", {}, { namespace: "new" })
    world.server.execute(
      { subresource: "", name: "", user: { name: "a", groups: [] }, options: {}, ...request, body },
      (answer) => answers.push(answer)
    )
    world.clockwork.pass(300)
    assert.lengthOf(answers, 0)
    world.make("serviceaccounts", thing("v1", "ServiceAccount", "default", {}, "new"))
    world.clockwork.pass(300)
    assert.lengthOf(answers, 1)
    assert.isFalse(answers[0] instanceof ApiFailure)
  })
})

describe("what pods and nodes are given", () => {
  it("is tolerations, a priority and the taint of new nodes", () => {
    const world = new AdmittedWorld()
    const made = specOf(world.make("pods", pod("p")))
    assert.deepStrictEqual(
      made["tolerations"].map(({ key, tolerationSeconds }: Parsed) => `${key} ${tolerationSeconds}`),
      ["node.kubernetes.io/not-ready 300", "node.kubernetes.io/unreachable 300"]
    )
    assert.strictEqual(made["priority"], 0)
    assert.strictEqual(made["preemptionPolicy"], "PreemptLowerPriority")
    const critical = specOf(
      world.make("pods", pod("c", { priorityClassName: "system-node-critical", tolerations: [{ operator: "Exists" }] }))
    )
    assert.strictEqual(critical["priority"], 2_000_001_000)
    assert.lengthOf(critical["tolerations"], 1)
    assert.strictEqual(
      world.refused("pods", pod("x", { priorityClassName: "none" })),
      'pods "x" is forbidden: no PriorityClass with name none was found'
    )
    assert.match(
      world.refused("pods", pod("x", { priority: 7 })),
      /the integer value of priority \(7\) must not be provided/
    )
    const taints = specOf(world.make("nodes", thing("v1", "Node", "n")))["taints"]
    assert.deepStrictEqual(taints, [{ key: "node.kubernetes.io/not-ready", effect: "NoSchedule" }])
  })

  it("has one default priority class only", () => {
    const world = new AdmittedWorld()
    const of = (name: string, value: number) =>
      thing("scheduling.k8s.io/v1", "PriorityClass", name, { value, globalDefault: true })
    world.make("priorityclasses", of("one", 5))
    assert.match(
      world.refused("priorityclasses", of("two", 6)),
      /PriorityClass one is already marked as default\. Only one default can exist/
    )
    const made = specOf(world.make("pods", pod("p")))
    assert.deepStrictEqual([made["priorityClassName"], made["priority"]], ["one", 5])
  })

  it("is a runtime's overhead, selector and tolerations", () => {
    const world = new AdmittedWorld()
    const scheduling = { nodeSelector: { sandbox: "yes" }, tolerations: [{ key: "sandbox", operator: "Exists" }] }
    const overhead = { podFixed: { cpu: "250m" } }
    world.make(
      "runtimeclasses",
      thing("node.k8s.io/v1", "RuntimeClass", "kata", { handler: "kata", overhead, scheduling })
    )
    const made = specOf(world.make("pods", pod("p", { runtimeClassName: "kata" })))
    assert.deepStrictEqual(made["overhead"], { cpu: "250m" })
    assert.deepStrictEqual(made["nodeSelector"], { sandbox: "yes" })
    assert.deepInclude(made["tolerations"], { key: "sandbox", operator: "Exists" })
    assert.match(
      world.refused("pods", pod("x", { runtimeClassName: "none" })),
      /pod rejected: RuntimeClass "none" not found$/
    )
    assert.match(
      world.refused("pods", pod("x", { runtimeClassName: "kata", nodeSelector: { sandbox: "no" } })),
      /conflict: runtimeClass\.scheduling/
    )
    assert.match(
      world.refused("pods", pod("x", { overhead: { cpu: "1" } })),
      /Pod Overhead set without corresponding RuntimeClass/
    )
  })
})

describe("claims and ingresses", () => {
  const claim = (name: string, storage: string, more: object = {}): KubeObject =>
    thing(
      "v1",
      "PersistentVolumeClaim",
      name,
      { spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage } }, ...more } },
      "default"
    )

  it("get the newest default class and a finalizer", () => {
    const world = new AdmittedWorld()
    assert.isUndefined(specOf(world.make("persistentvolumeclaims", claim("none", "1Gi")))["storageClassName"])
    const mark = { annotations: { "storageclass.kubernetes.io/is-default-class": "true" } }
    for (const name of ["old", "new"]) {
      const made = thing("storage.k8s.io/v1", "StorageClass", name, { provisioner: "p" })
      world.make("storageclasses", { ...made, metadata: { name, ...mark } })
      world.clockwork.pass(2000)
    }
    const made = world.make("persistentvolumeclaims", claim("c", "1Gi"))
    assert.strictEqual(specOf(made)["storageClassName"], "new")
    assert.deepStrictEqual(made.metadata.finalizers, ["kubernetes.io/pvc-protection"])
    assert.strictEqual(
      specOf(world.make("persistentvolumeclaims", claim("own", "1Gi", { storageClassName: "old" })))[
        "storageClassName"
      ],
      "old"
    )
    const ingressClass = thing("networking.k8s.io/v1", "IngressClass", "web", { spec: { controller: "x/y" } })
    world.make("ingressclasses", {
      ...ingressClass,
      metadata: { name: "web", annotations: { "ingressclass.kubernetes.io/is-default-class": "true" } }
    })
    const ingress = thing(
      "networking.k8s.io/v1",
      "Ingress",
      "i",
      { spec: { defaultBackend: { service: { name: "s", port: { number: 80 } } } } },
      "default"
    )
    assert.strictEqual(specOf(world.make("ingresses", ingress))["ingressClassName"], "web")
  })

  it("grow only when bound, and where their class lets them", () => {
    const world = new AdmittedWorld()
    for (const [name, allowVolumeExpansion] of [
      ["grows", true],
      ["stays", false]
    ] as const)
      world.make(
        "storageclasses",
        thing("storage.k8s.io/v1", "StorageClass", name, { provisioner: "p", allowVolumeExpansion })
      )
    const grown = (storageClassName: string, bound: boolean): string => {
      const name = `${storageClassName}-${bound}`
      let made = world.make("persistentvolumeclaims", claim(name, "1Gi", { storageClassName, volumeName: "v" }))
      if (bound)
        made = world.change(
          "persistentvolumeclaims",
          { ...made, status: { phase: "Bound" } },
          undefined,
          "status"
        ) as KubeObject
      const spec = { ...specOf(made), resources: { requests: { storage: "2Gi" } } }
      const changed = world.change("persistentvolumeclaims", { ...made, spec })
      return changed instanceof ApiFailure ? changed.message : "grown"
    }
    assert.match(grown("grows", false), /only bound|Only bound|immutable/i)
    assert.match(grown("stays", true), /only dynamically provisioned pvc can be resized and the storageclass/)
    assert.strictEqual(grown("grows", true), "grown")
  })
})

describe("nodes", () => {
  it("write themselves and their own pods, nothing else", () => {
    const world = new AdmittedWorld()
    const own = world.make("nodes", thing("v1", "Node", "n1"), node("n1"))
    assert.match(
      world.refused("nodes", thing("v1", "Node", "n2"), node("n1")),
      /node "n1" is not allowed to modify node "n2"/
    )
    const labelled = (labels: Record<string, string>): string => {
      const answer = world.change("nodes", { ...own, metadata: { ...own.metadata, labels } }, node("n1"))
      return answer instanceof ApiFailure ? answer.message : "let in"
    }
    assert.match(
      labelled({ "node-restriction.kubernetes.io/a": "b" }),
      /is not allowed to modify labels: node-restriction/
    )
    assert.match(labelled({ "k8s.io/role": "x" }), /is not allowed to modify labels: k8s.io\/role/)
    assert.strictEqual(labelled({ "kubernetes.io/arch": "amd64", free: "yes", "node.kubernetes.io/x": "y" }), "let in")
    world.make("pods", pod("theirs", { nodeName: "n2" }))
    assert.match(
      world.remove("pods", "default", "theirs", node("n1")),
      /can only delete pods with spec.nodeName set to itself/
    )
    assert.match(world.refused("pods", pod("made"), node("n1")), /can only create mirror pods/)
    const mirror = {
      annotations: { "kubernetes.io/config.mirror": "x" },
      ownerReferences: [{ apiVersion: "v1", kind: "Node", name: "n1", uid: "u", controller: true }]
    }
    assert.strictEqual(world.refused("pods", pod("mirror", { nodeName: "n1" }, mirror), node("n1")), "let in")
    assert.match(
      world.refused("pods", pod("mirror2", { nodeName: "n1", serviceAccountName: "default" }, mirror), node("n1")),
      /a mirror pod may not reference service accounts/
    )
  })
})

describe("certificate signing requests", () => {
  const csr = (subject: string, signerName: string): KubeObject => {
    const request = openssl([
      "req",
      "-new",
      "-newkey",
      "ec",
      "-pkeyopt",
      "ec_paramgen_curve:prime256v1",
      "-nodes",
      "-subj",
      subject,
      "-keyout",
      "/dev/null"
    ])
    const spec = { request: Buffer.from(request).toString("base64"), signerName, usages: ["client auth"] }
    return thing("certificates.k8s.io/v1", "CertificateSigningRequest", "c", { spec })
  }
  it("never sign anyone into system:masters", () => {
    const world = new AdmittedWorld()
    const client = "kubernetes.io/kube-apiserver-client"
    assert.match(
      world.refused("certificatesigningrequests", csr("/O=dev/O=system:masters/CN=x", client)),
      /use of kubernetes.io\/kube-apiserver-client signer with system:masters group is not allowed/
    )
    const broken = csr("/CN=x", client)
    assert.match(
      world.refused("certificatesigningrequests", { ...broken, spec: { ...specOf(broken), request: "bm9uZQ==" } }),
      /failed to parse CSR/
    )
    assert.strictEqual(world.refused("certificatesigningrequests", csr("/O=dev/CN=x", client)), "let in")
  })
})

describe("limit ranges", () => {
  it("fill in what containers leave open and bound the rest", () => {
    const world = new AdmittedWorld()
    const limits = [
      {
        type: "Container",
        default: { cpu: "500m" },
        defaultRequest: { cpu: "100m", memory: "64Mi" },
        max: { cpu: "1" },
        min: { cpu: "50m" },
        maxLimitRequestRatio: { cpu: "10" }
      },
      { type: "Pod", max: { cpu: "1500m" } },
      { type: "PersistentVolumeClaim", min: { storage: "1Gi" }, max: { storage: "2Gi" } }
    ]
    world.make("limitranges", thing("v1", "LimitRange", "l", { spec: { limits } }, "default"))
    const made = world.make("pods", pod("p"))
    assert.deepStrictEqual(specOf(made)["containers"][0].resources, {
      limits: { cpu: "500m" },
      requests: { cpu: "100m", memory: "64Mi" }
    })
    assert.strictEqual(
      made.metadata.annotations?.["kubernetes.io/limit-ranger"],
      "LimitRanger plugin set: cpu, memory request for container c; cpu limit for container c"
    )
    const of = (requests: object, lim: object, name = "c") => ({
      name,
      image: "i",
      resources: { requests, limits: lim }
    })
    const why = (...containers: ReadonlyArray<object>): string => world.refused("pods", pod("x", { containers }))
    assert.match(
      why(of({ cpu: "1500m" }, { cpu: "1500m" })),
      /maximum cpu usage per Container is 1, but limit is 1500m/
    )
    assert.match(why(of({ cpu: "10m" }, { cpu: "50m" })), /minimum cpu usage per Container is 50m, but request is 10m/)
    assert.match(
      why(of({ cpu: "50m" }, { cpu: "1" })),
      /cpu max limit to request ratio per Container is 10, but provided ratio is 20\.000000/
    )
    assert.match(
      why(of({ cpu: "800m" }, { cpu: "800m" }, "a"), of({ cpu: "800m" }, { cpu: "800m" }, "b")),
      /maximum cpu usage per Pod is 1500m, but limit is 1600m/
    )
    const claim = (storage: string) =>
      thing(
        "v1",
        "PersistentVolumeClaim",
        "c",
        { spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage } } } },
        "default"
      )
    assert.match(
      world.refused("persistentvolumeclaims", claim("3Gi")),
      /maximum storage usage per PersistentVolumeClaim is 2Gi, but request is 3Gi/
    )
    assert.strictEqual(world.refused("persistentvolumeclaims", claim("2Gi")), "let in")
  })
})

describe("pod security", () => {
  const world = new AdmittedWorld()
  for (const level of ["baseline", "restricted"]) {
    world.make("namespaces", namespace(level, { "pod-security.kubernetes.io/enforce": level }))
    world.make("serviceaccounts", thing("v1", "ServiceAccount", "default", {}, level))
  }
  const why = (level: string, spec: object): string => world.refused("pods", pod("p", spec, { namespace: level }))

  it("refuses what the enforced level forbids", () => {
    assert.strictEqual(
      why("baseline", {
        hostNetwork: true,
        containers: [{ name: "c", image: "i", securityContext: { privileged: true } }],
        volumes: [{ name: "v", hostPath: { path: "/" } }]
      }),
      'pods "p" is forbidden: violates PodSecurity "baseline:latest": host namespaces (hostNetwork=true), hostPath volumes (volume "v"), privileged (container "c" must not set securityContext.privileged=true)'
    )
    assert.strictEqual(
      why("restricted", {}),
      'pods "p" is forbidden: violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false (container "c" must set securityContext.allowPrivilegeEscalation=false), unrestricted capabilities (container "c" must set securityContext.capabilities.drop=["ALL"]), runAsNonRoot != true (pod or container "c" must set securityContext.runAsNonRoot=true), seccompProfile (pod or container "c" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")'
    )
    const securityContext = { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } }
    const good = {
      securityContext: { runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } },
      containers: [{ name: "c", image: "i", securityContext }]
    }
    assert.strictEqual(why("restricted", good), "let in")
  })

  it("warns of what makes pods, and of pods that a new level would refuse", () => {
    world.make("namespaces", namespace("warned", { "pod-security.kubernetes.io/warn": "baseline" }))
    const template = {
      metadata: { labels: { a: "b" } },
      spec: { hostPID: true, containers: [{ name: "c", image: "i" }] }
    }
    const spec = { selector: { matchLabels: { a: "b" } }, template }
    world.make("deployments", thing("apps/v1", "Deployment", "d", { spec }, "warned"))
    assert.deepStrictEqual(world.warnings, [
      'would violate PodSecurity "baseline:latest": host namespaces (hostPID=true)'
    ])
    world.make("pods", pod("old", { hostIPC: true }))
    const held = world.get({
      resource: { group: "", version: "v1", resource: "namespaces" },
      namespace: "",
      name: "default"
    }) as KubeObject
    world.change("namespaces", {
      ...held,
      metadata: { ...held.metadata, labels: { "pod-security.kubernetes.io/enforce": "baseline" } }
    })
    assert.deepStrictEqual(world.warnings, [
      'existing pods in namespace "default" violate the new PodSecurity enforce level "baseline:latest"',
      "old: host namespaces"
    ])
  })
})
