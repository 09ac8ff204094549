// The rules of certificates that are projected into a pod: bundles of authorities, and a certificate of the pod's own.
// Owns these two sources; paths and modes are checked as those of all sources are. Source: kubernetes pkg/apis/core/validation.
import { bundleNameProblems } from "../certificates/BundleRules.ts"
import { checkSignerName } from "../certificates/PemRules.ts"
import { type Fields, fieldsIn, textOf } from "../Fields.ts"
import { invalid, notSupported, type Problems, required } from "../Problems.ts"
import { checkSelector } from "../Selectors.ts"

type CheckPath = (target: string, path: string, problems: Problems) => void

const KEY_TYPES = ["RSA3072", "RSA4096", "ECDSAP256", "ECDSAP384", "ECDSAP521", "ED25519"]
const SHORTEST_SECONDS = 3600
const LONGEST_SECONDS = 91 * 24 * 3600
const LONGEST_OF_KUBERNETES_SECONDS = 24 * 3600

/** Checks the source of a bundle, found by its name or by its signer. */
export const checkTrustBundleSource =
  (checkPath: CheckPath) =>
  (source: Fields, path: string, problems: Problems): void => {
    const { name, signerName } = source
    const selector = fieldsIn(source["labelSelector"])
    if (typeof name === "string" && typeof signerName === "string") {
      problems.push(invalid(path, source, "only one of name and signerName may be used"))
    } else if (typeof name === "string") {
      if (name === "") problems.push(required(`${path}.name`, "must be a valid object name"))
      const at = name.lastIndexOf(":")
      for (const why of bundleNameProblems(name, at < 0 ? "" : name.slice(0, at).replaceAll(":", "/"))) {
        problems.push(invalid(`${path}.name`, name, `not a valid clustertrustbundlename: ${why}`))
      }
      if (selector !== undefined) {
        problems.push(invalid(`${path}.labelSelector`, selector, "labelSelector must be unset if name is specified"))
      }
    } else if (typeof signerName === "string") {
      if (signerName === "") problems.push(required(`${path}.signerName`, "must be a valid signer name"))
      checkSignerName(signerName, `${path}.signerName`, problems)
      checkSelector(selector, `${path}.labelSelector`, problems)
    } else problems.push(required(path, "either name or signerName must be specified"))
    const target = textOf(source["path"])
    if (target === "") problems.push(required(`${path}.path`))
    checkPath(target, `${path}.path`, problems)
  }

/** Checks the source of a pod's own certificate. */
export const checkPodCertificateSource =
  (checkPath: CheckPath) =>
  (source: Fields, path: string, problems: Problems): void => {
    const signerName = textOf(source["signerName"])
    checkSignerName(signerName, `${path}.signerName`, problems)
    const keyType = textOf(source["keyType"])
    if (!KEY_TYPES.includes(keyType)) problems.push(notSupported(`${path}.keyType`, keyType, KEY_TYPES))
    const seconds = source["maxExpirationSeconds"]
    const isOfKubernetes = signerName.split("/")[0].endsWith("kubernetes.io")
    const longest = isOfKubernetes ? LONGEST_OF_KUBERNETES_SECONDS : LONGEST_SECONDS
    if (typeof seconds === "number") {
      const field = `${path}.maxExpirationSeconds`
      if (seconds < SHORTEST_SECONDS) {
        problems.push(invalid(field, seconds, `if provided, maxExpirationSeconds must be >= ${SHORTEST_SECONDS}`))
      }
      if (seconds > longest) {
        problems.push(invalid(field, seconds, `if provided, maxExpirationSeconds must be <= ${longest}`))
      }
    }
    const fields = ["credentialBundlePath", "keyPath", "certificateChainPath"]
    const given = fields.filter((field) => textOf(source[field]) !== "")
    for (const field of given) checkPath(textOf(source[field]), `${path}.${field}`, problems)
    if (given.length === 0) {
      problems.push(required(path, "specify at least one of credentialBundlePath, keyPath, and certificateChainPath"))
    }
  }
