// Certificates, bootstrap tokens and tokens that nobody uses any more.
import { createHmac, webcrypto, X509Certificate } from "node:crypto"
import { Effect } from "effect"
import { assert, describe, it } from "vitest"
import { type KubeObject, rfc3339 } from "#kube"
import { certificatePort, upkeepControllersWith } from "#sim"
import {
  type CertificatePort,
  type RequestFacts,
  SIGNERS,
  signerProblem
} from "../../../sim/controllers/identity/CertificatePort.ts"
import { isOutlived, lifetimeMs } from "../../../sim/controllers/identity/CertificateRequests.ts"
import { detachedSignature } from "../../../sim/controllers/identity/BootstrapTokens.ts"
import { legacyTokenStep } from "../../../sim/controllers/identity/LegacyTokens.ts"
import { controllersNamed, fields, items, Resources, textOf, UpkeepWorld } from "./UpkeepWorld.ts"

const { configmaps, csrs, secrets } = Resources
const DAY_MS = 86_400_000

const kubelet: RequestFacts = {
  commonName: "system:node:n",
  organizations: ["system:nodes"],
  dnsNames: [],
  ipAddresses: [],
  emails: [],
  uris: []
}
const clientUsages = ["key encipherment", "digital signature", "client auth"]
const servingUsages = ["digital signature", "server auth"]

describe("signers", () => {
  it("take what upstream's take, and say what upstream's say", () => {
    assert.isUndefined(signerProblem(SIGNERS.kubeletClient, kubelet, clientUsages))
    assert.strictEqual(
      signerProblem(SIGNERS.kubeletClient, { ...kubelet, organizations: [] }, clientUsages),
      "organization in CSR is not system:nodes"
    )
    assert.strictEqual(
      signerProblem(SIGNERS.kubeletClient, kubelet, ["client auth"]),
      "usages did not match [client auth digital signature key encipherment]"
    )
    assert.strictEqual(signerProblem(SIGNERS.serving, kubelet, servingUsages), "DNS or IP subjectAltName is required")
    assert.isUndefined(signerProblem(SIGNERS.serving, { ...kubelet, dnsNames: ["n"] }, servingUsages))
    assert.strictEqual(
      signerProblem(SIGNERS.client, kubelet, ["server auth"]),
      "invalid usage for client certificate: server auth"
    )
    assert.isUndefined(signerProblem(SIGNERS.legacy, kubelet, ["any"]))
  })

  it("make certificates that the authority stands for, with what was asked", async () => {
    await import("reflect-metadata")
    const x509 = await import("@peculiar/x509")
    const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const
    const keys = () => webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"])
    const [authority, own] = [await keys(), await keys()]
    const root = await x509.X509CertificateGenerator.createSelfSigned({
      name: "CN=authority",
      serialNumber: "01",
      notBefore: new Date(Date.now() - DAY_MS),
      notAfter: new Date(Date.now() + 100 * DAY_MS),
      signingAlgorithm: algorithm,
      keys: authority,
      extensions: [new x509.BasicConstraintsExtension(true, undefined, true)]
    })
    const key = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", authority.privateKey)).toString("base64")
    const port = certificatePort({
      cert: root.toString("pem"),
      key: `-----BEGIN PRIVATE KEY-----\n${key}\n-----END PRIVATE KEY-----\n`
    })
    const request = await x509.Pkcs10CertificateRequestGenerator.create({
      name: "CN=system:node:n,O=system:nodes",
      keys: own,
      signingAlgorithm: algorithm,
      extensions: [
        new x509.SubjectAlternativeNameExtension([
          { type: "dns", value: "n.example.com" },
          { type: "ip", value: "10.0.0.7" }
        ])
      ]
    })
    const pem = request.toString("pem")
    assert.deepStrictEqual(await Effect.runPromise(port.read(pem)), {
      ...kubelet,
      dnsNames: ["n.example.com"],
      ipAddresses: ["10.0.0.7"]
    })
    const order = {
      request: pem,
      usages: servingUsages,
      notBeforeMs: Date.now() - 1000,
      notAfterMs: Date.now() + DAY_MS
    }
    const text = await Effect.runPromise(port.sign(order))
    const certificate = new X509Certificate(text)
    assert.isTrue(certificate.verify(new X509Certificate(root.toString("pem")).publicKey))
    assert.isFalse(certificate.ca)
    assert.include(certificate.subject, "CN=system:node:n")
    assert.strictEqual(certificate.subjectAltName, "DNS:n.example.com, IP Address:10.0.0.7")
    assert.deepStrictEqual(certificate.keyUsage, ["1.3.6.1.5.5.7.3.1"])
    assert.closeTo(port.endOf(text) ?? 0, order.notAfterMs, 1000)
    const refused = await Effect.runPromiseExit(port.read("nonsense"))
    assert.strictEqual(refused._tag, "Failure")
  })
})

describe("requests for certificates", () => {
  const port: CertificatePort = {
    read: () => Effect.succeed(kubelet),
    sign: ({ usages }) => Effect.succeed(`-----BEGIN CERTIFICATE-----\n${usages.length}\n-----END CERTIFICATE-----\n`),
    endsMs: Infinity,
    endOf: () => undefined
  }

  it("of kubelets are approved and signed; what is wrong with others is said", async () => {
    await import("reflect-metadata")
    const { Pkcs10CertificateRequestGenerator } = await import("@peculiar/x509")
    const signingAlgorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const
    const keys = await webcrypto.subtle.generateKey(signingAlgorithm, true, ["sign", "verify"])
    const name = "CN=system:node:n,O=system:nodes"
    const pem = (await Pkcs10CertificateRequestGenerator.create({ name, keys, signingAlgorithm })).toString("pem")
    const world = new UpkeepWorld({
      run: upkeepControllersWith({ certificates: { port } }),
      whole: true,
      // The simulated server answers no reviews; this one allows what a node may ask for itself.
      wrapClient: (client, { clockwork }) => ({
        ...client,
        create: (target, object, options, done) => {
          if (target.resource.resource !== "subjectaccessreviews") return client.create(target, object, options, done)
          const { subresource } = fields(fields(object.spec)["resourceAttributes"])
          return clockwork.defer(() => done({ ...object, status: { allowed: subresource === "nodeclient" } }))
        }
      })
    })
    const create = (name: string, signerName: string, usages: ReadonlyArray<string>) =>
      world.create(csrs, {
        apiVersion: "certificates.k8s.io/v1",
        kind: "CertificateSigningRequest",
        metadata: { name },
        spec: { request: Buffer.from(pem).toString("base64"), signerName, usages: [...usages] }
      })
    create("good", SIGNERS.kubeletClient, clientUsages)
    create("waiting", SIGNERS.serving, servingUsages)
    world.pass(5000)
    assert.deepStrictEqual(world.failures, [])
    const good = world.get(csrs, "", "good")
    const [condition] = items(fields(good?.status)["conditions"])
    assert.deepInclude(condition, { type: "Approved", reason: "AutoApproved" })
    assert.include(Buffer.from(textOf(fields(good?.status)["certificate"]), "base64").toString(), "BEGIN CERTIFICATE")
    assert.isUndefined(fields(world.get(csrs, "", "waiting")?.status)["conditions"])
    const approved = { type: "Approved", status: "True", reason: "ByHand", message: "" }
    world.change(csrs, ["", "waiting"], (one) => ({ ...one, status: { conditions: [approved] } }), "approval")
    world.pass(5000)
    const failed = items(fields(world.get(csrs, "", "waiting")?.status)["conditions"]).find(
      ({ type }) => type === "Failed"
    )
    assert.deepInclude(failed, {
      reason: "SignerValidationFailure",
      message: "DNS or IP subjectAltName is required"
    })
  })

  it("live as long as they are asked to, within bounds, and are cleaned up", () => {
    const request = (spec: object, status: object = {}): KubeObject =>
      ({ kind: "", apiVersion: "", metadata: { creationTimestamp: rfc3339(0) }, spec, status }) as KubeObject
    assert.strictEqual(lifetimeMs(request({}), 5000), 5000)
    assert.strictEqual(lifetimeMs(request({ expirationSeconds: 1 }), DAY_MS), 600_000)
    assert.strictEqual(lifetimeMs(request({ expirationSeconds: 7200 }), DAY_MS), 7_200_000)
    assert.isFalse(isOutlived(request({}), DAY_MS))
    assert.isTrue(isOutlived(request({}), DAY_MS + 1000))
    const denied = { conditions: [{ type: "Denied", lastUpdateTime: rfc3339(0) }] }
    assert.isFalse(isOutlived(request({}, denied), 3_600_000))
    assert.isTrue(isOutlived(request({}, denied), 3_601_000))
    const issued = { certificate: "eA==", conditions: [{ type: "Approved", lastUpdateTime: rfc3339(0) }] }
    assert.isTrue(isOutlived(request({}, issued), 1000, () => 500))
    assert.isFalse(isOutlived(request({}, issued), 1000, () => 5000))
  })
})

describe("bootstrap tokens", () => {
  it("vouch for cluster-info, and are gone when their time is over", () => {
    const world = new UpkeepWorld({ run: controllersNamed("token-cleaner-controller", "bootstrap-signer-controller") })
    for (const name of ["kube-system", "kube-public"])
      world.create(Resources.namespaces, { apiVersion: "v1", kind: "Namespace", metadata: { name } })
    const base64 = (text: string): string => Buffer.from(text).toString("base64")
    const token = {
      "token-id": base64("abcdef"),
      "token-secret": base64("0123456789abcdef"),
      "usage-bootstrap-signing": base64("true"),
      expiration: base64(rfc3339(world.nowMs + 60_000))
    }
    world.create(configmaps, {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "cluster-info", namespace: "kube-public" },
      data: { kubeconfig: "text" }
    })
    world.create(secrets, {
      apiVersion: "v1",
      kind: "Secret",
      type: "bootstrap.kubernetes.io/token",
      metadata: { name: "bootstrap-token-abcdef", namespace: "kube-system" },
      data: token
    })
    world.pass(2000)
    const signatures = () => fields(world.get(configmaps, "kube-public", "cluster-info")?.["data"])
    const signature = detachedSignature("text", "abcdef", "0123456789abcdef")
    assert.deepStrictEqual(signatures(), { kubeconfig: "text", "jws-kubeconfig-abcdef": signature })
    const [header = "", , mac = ""] = signature.split(".")
    assert.deepStrictEqual(JSON.parse(Buffer.from(header, "base64url").toString()), { alg: "HS256", kid: "abcdef" })
    const signed = `${header}.${Buffer.from("text").toString("base64url")}`
    assert.strictEqual(mac, createHmac("sha256", "0123456789abcdef").update(signed).digest("base64url"))
    world.pass(70_000)
    assert.deepStrictEqual(world.names(secrets, "kube-system"), [])
    assert.deepStrictEqual(signatures(), { kubeconfig: "text" })
  })
})

it("marks tokens that nobody used for a year, and deletes them a year later", () => {
  const year = 365 * DAY_MS
  const secret = (labels: Record<string, string>): KubeObject => ({
    apiVersion: "v1",
    kind: "Secret",
    metadata: { creationTimestamp: rfc3339(0), labels }
  })
  assert.isUndefined(legacyTokenStep(secret({}), year - DAY_MS))
  assert.strictEqual(legacyTokenStep(secret({}), year + 2 * DAY_MS), "mark")
  const used = { "kubernetes.io/legacy-token-last-used": rfc3339(year).slice(0, 10) }
  assert.isUndefined(legacyTokenStep(secret(used), year + 2 * DAY_MS))
  const invalid = { "kubernetes.io/legacy-token-invalid-since": rfc3339(year).slice(0, 10) }
  assert.isUndefined(legacyTokenStep(secret(invalid), year + 2 * DAY_MS))
  assert.strictEqual(legacyTokenStep(secret(invalid), 2 * year + 2 * DAY_MS), "delete")
})
