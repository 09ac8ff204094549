// What is wrong with a text that is to hold certificates, and with the name of who signs them.
// Owns these rules; refuses to trust any certificate. Source: kubernetes pkg/apis/certificates/validation and core/validation.
import { Names } from "#kube"
import { invalid, type Problems, required, tooLong } from "../Problems.ts"

const DOMAIN_BYTES_MAX = 253
const BLOCK = /-----BEGIN ([^-]*)-----\n([\s\S]*?)-----END \1-----/g

/** What is wrong with base64 of certificates in PEM; undefined when nothing is, as for no text at all. */
export const certificateProblem = (base64: string): string | undefined => {
  if (base64 === "") return undefined
  const pem = Buffer.from(base64, "base64").toString("latin1")
  let blocks = 0
  for (const [, type = "", body = ""] of pem.matchAll(BLOCK)) {
    if (type !== "CERTIFICATE") return `only CERTIFICATE PEM blocks are allowed, found ${JSON.stringify(type)}`
    if (/^[^\n]*:/.test(body)) return "no PEM block headers are permitted"
    // A certificate is a SEQUENCE of at least its three parts.
    if (Buffer.from(body, "base64")[0] !== 0x30) return "x509: malformed certificate"
    blocks++
  }
  return blocks === 0 ? "must contain at least one CERTIFICATE PEM block" : undefined
}

const checkLabels = (
  part: string,
  labels: ReadonlyArray<string>,
  rule: (label: string) => ReadonlyArray<string>,
  path: string,
  problems: Problems
): void => {
  for (const label of labels) {
    const messages = rule(label)
    for (const why of messages) {
      problems.push(invalid(path, part, `validating label ${JSON.stringify(label)}: ${why}`))
    }
    // One broken label says enough.
    if (messages.length > 0) return
  }
}

const FORM = "must be a fully qualified domain and path of the form 'example.com/signer-name'"

/** Checks the name of a signer. */
export const checkSignerName = (name: string, path: string, problems: Problems): void => {
  const [domain = "", rest = "", ...more] = name.split("/")
  if (name === "") return void problems.push(required(path))
  if (more.length > 0 || !name.includes("/")) return void problems.push(invalid(path, name, FORM))
  const labels = domain.split(".")
  if (domain.length > DOMAIN_BYTES_MAX) problems.push(tooLong(path, DOMAIN_BYTES_MAX))
  checkLabels(domain, labels, Names.dnsLabel, path, problems)
  if (labels.length < 2) {
    problems.push(invalid(path, domain, "should be a domain with at least two segments separated by dots"))
  }
  checkLabels(rest, rest.split("."), Names.dnsSubdomain, path, problems)
  const longest = DOMAIN_BYTES_MAX + 1 + DOMAIN_BYTES_MAX + 1 + 63
  if (name.length > longest) problems.push(tooLong(path, longest))
  return undefined
}
