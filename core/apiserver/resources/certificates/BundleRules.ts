// What is wrong with a bundle of trusted certificates: its name, which tells its signer, and the authorities in it.
// Owns these rules; refuses to trust anybody. Source: kubernetes pkg/apis/certificates/validation and core/validation.
import { X509Certificate } from "node:crypto"
import { Names, type NameProblems } from "#kube"
import { invalid, type Problems, tooLong } from "../Problems.ts"

const BUNDLE_BYTES_MAX = 1024 * 1024
const BLOCK = /-----BEGIN ([^-]*)-----\n([\s\S]*?)-----END \1-----/g
const OMITTED = "<value omitted>"

/** What is wrong with a bundle's name; those of a signer carry its name before theirs. */
export const bundleNameProblems = (name: string, signerName: string): NameProblems => {
  if (signerName === "") {
    return name.includes(":")
      ? [`ClusterTrustBundle without signer name must not have ":" in its name`]
      : Names.dnsSubdomain(name)
  }
  const prefix = `${signerName.replaceAll("/", ":")}:`
  return name.startsWith(prefix)
    ? Names.dnsSubdomain(name.slice(prefix.length))
    : [`ClusterTrustBundle for signerName ${signerName} must be named with prefix ${prefix}`]
}

const authorityProblem = (type: string, body: string): string | undefined => {
  if (type !== "CERTIFICATE") return `has bad block type: ${type}`
  if (/^[^\n]*:/.test(body)) return "has PEM block headers"
  try {
    return new X509Certificate(Buffer.from(body, "base64")).ca ? undefined : "does not have the CA bit set"
  } catch {
    return "does not parse as X.509"
  }
}

/** Checks PEM that must hold authorities, each once. */
export const checkBundle = (pem: string, path: string, problems: Problems): void => {
  if (pem.length > BUNDLE_BYTES_MAX) return void problems.push(tooLong(path, BUNDLE_BYTES_MAX))
  const places = new Map<string, Array<number>>()
  const before = problems.length
  for (const [at, [, type = "", body = ""]] of [...pem.matchAll(BLOCK)].entries()) {
    const why = authorityProblem(type, body)
    if (why !== undefined) problems.push(invalid(path, OMITTED, `entry ${at} ${why}`))
    const key = body.replaceAll(/\s/g, "")
    places.set(key, [...(places.get(key) ?? []), at])
  }
  if (problems.length > before) return undefined
  if (places.size === 0) problems.push(invalid(path, OMITTED, "at least one trust anchor must be provided"))
  for (const same of places.values()) {
    if (same.length > 1) {
      problems.push(invalid(path, OMITTED, `duplicate trust anchor (indices [${same.join(" ")}])`))
    }
  }
  return undefined
}
