// Manifests for tests: clusters with as little as they need, and certificates made once. Owns no judgement.
import { readFileSync } from "node:fs"
import type { JsonObject, KubeObject } from "#kube"
import { makeAuthority } from "../../net/Certificates.ts"

const read = (file: string): string => readFileSync(file, "utf8")
const base64 = (text: string): string => Buffer.from(text).toString("base64")

/** Certificates and keys in PEM. */
export interface TestPki {
  readonly ca: string
  readonly cert: string
  readonly key: string
  readonly otherCert: string
  readonly otherKey: string
}

let made: TestPki | undefined

/** An authority with two certificates, the same for all tests of a file. */
export const testPki = (): TestPki => {
  if (made !== undefined) return made
  const authority = makeAuthority()
  const one = authority.sign("one", "gateway")
  const other = authority.sign("other", "gateway")
  made = {
    ca: read(authority.caFile),
    cert: read(one.certFile),
    key: read(one.keyFile),
    otherCert: read(other.certFile),
    otherKey: read(other.keyFile)
  }
  return made
}

export const allowAll: JsonObject = {
  rules: [{ verbs: ["*"], apiGroups: ["*"], resources: ["*"], nonResourceURLs: ["*"] }]
}

/** A cluster over plain HTTP, which needs no credentials. */
export const cluster = (
  name: string,
  spec: JsonObject = {},
  metadata: Partial<KubeObject["metadata"]> = {}
): KubeObject => ({
  apiVersion: "proxy.kubegateway.io/v1alpha1",
  kind: "UpstreamCluster",
  metadata: { name, uid: `uid-${name}`, generation: 1, creationTimestamp: "2026-01-01T00:00:00Z", ...metadata },
  spec: { servers: [{ endpoint: "http://127.0.0.1:8080" }], dispatchPolicies: [allowAll], ...spec }
})

/** A cluster over TLS with inline credentials. */
export const secureCluster = (name: string, spec: JsonObject = {}): KubeObject => {
  const { ca, cert, key } = testPki()
  return cluster(name, {
    servers: [{ endpoint: "https://10.0.0.1:6443" }, { endpoint: "https://10.0.0.2:6443", disabled: false }],
    clientConfig: { caData: base64(ca), certData: base64(cert), keyData: base64(key) },
    secureServing: { certData: base64(cert), keyData: base64(key), clientCAData: base64(ca) },
    ...spec
  })
}

/** A secret of these texts. */
export const secret = (namespace: string, name: string, data: Readonly<Record<string, string>>): KubeObject => ({
  apiVersion: "v1",
  kind: "Secret",
  metadata: { namespace, name },
  data: Object.fromEntries(Object.entries(data).map(([key, text]) => [key, base64(text)]))
})

export { base64 }
