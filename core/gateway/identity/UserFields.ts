// A user as request fields, with which the gateway acts for it at the endpoint: Impersonate-User, -Group, -Uid and -Extra-*.
// Owns the encoding that kube-apiserver reads back to exactly the same user, and the refusal of what no field can carry;
// refuses to decide who may be passed on.
// Source: k8s.io/client-go, transport/round_trippers.go; k8s.io/apiserver, pkg/endpoints/filters/impersonation.
import type { UserInfo } from "#apiserver"
import { impersonateExtraField } from "#kube"
import type { HttpFields } from "#net"

/** Control characters would end the field, and spaces at the ends are lost on the way: another user would arrive. */
// oxlint-disable-next-line no-control-regex -- these are the octets that a field value cannot carry
const lossy = /[\0-\x08\x0a-\x1f\x7f]|^[ \t]|[ \t]$/
const ascii = /^[\x20-\x7e\t]*$/

/** The octets of a text in UTF-8, one character each, as field values are written. */
const octets = (text: string): string => (ascii.test(text) ? text : Buffer.from(text, "utf8").toString("latin1"))

/** Which part of a user no field can carry, or undefined. */
export const userProblem = ({ extra = {}, groups, name, uid }: UserInfo): string | undefined => {
  if (name === "") return "its name is empty"
  if (lossy.test(name)) return "its name holds control characters or begins or ends with a space"
  if (uid !== undefined && lossy.test(uid)) return "its uid holds control characters or begins or ends with a space"
  if (groups.some((group) => group === "" || lossy.test(group))) {
    return "a group is empty, holds control characters, or begins or ends with a space"
  }
  for (const [key, values] of Object.entries(extra)) {
    if (key === "") return "an extra has no key"
    if (values.some((value) => lossy.test(value))) {
      return "an extra holds control characters or begins or ends with a space"
    }
  }
  return undefined
}

/** The fields of a user without a problem. */
export const userFields = ({ extra = {}, groups, name, uid }: UserInfo): HttpFields => {
  const fields: Array<readonly [string, string]> = [["impersonate-user", octets(name)]]
  for (const group of groups) fields.push(["impersonate-group", octets(group)])
  if (uid !== undefined && uid !== "") fields.push(["impersonate-uid", octets(uid)])
  for (const [key, values] of Object.entries(extra)) {
    for (const value of values) fields.push([impersonateExtraField(key), octets(value)])
  }
  return fields
}
