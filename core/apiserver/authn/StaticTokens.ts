// Tokens from a file: `token,user,uid,"group1,group2"` a line, as kube-apiserver's --token-auth-file.
// Owns the file's reading; refuses to echo its tokens in any failure.
import type { UserInfo } from "../Request.ts"
import type { TokenAuthenticator } from "./Authenticator.ts"

/** One record of comma-separated values, fields perhaps in double quotes (RFC 4180); undefined where a quote does not close. */
const recordOf = (line: string): ReadonlyArray<string> | undefined => {
  const fields: Array<string> = []
  let at = 0
  for (;;) {
    if (line[at] === '"') {
      let text = ""
      for (at++; ; at++) {
        if (at >= line.length) return undefined
        if (line[at] !== '"') text += line[at]
        else if (line[at + 1] === '"') text += line[++at]
        else break
      }
      fields.push(text)
      at++
      if (at < line.length && line[at] !== ",") return undefined
    } else {
      const comma = line.indexOf(",", at)
      const end = comma < 0 ? line.length : comma
      fields.push(line.slice(at, end))
      at = end
    }
    if (at >= line.length) return fields
    at++
  }
}

/** Throws a TypeError that names the line and the rule, never the token. */
export const staticTokens = (csv: string): TokenAuthenticator => {
  const users = new Map<string, UserInfo>()
  for (const [index, line] of csv.split(/\r?\n/).entries()) {
    if (line === "") continue
    const record = recordOf(line)
    if (record === undefined) throw new TypeError(`token file, line ${index + 1}: a quote that does not close`)
    const [token, name, uid, groups] = record
    if (token === undefined || name === undefined || uid === undefined)
      throw new TypeError(
        `token file, line ${index + 1}: at least 3 columns (token, user name, user uid) are needed, found ${record.length}`
      )
    if (token === "") continue
    users.set(token, {
      name,
      ...(uid === "" ? {} : { uid }),
      groups: groups === undefined || groups === "" ? [] : groups.split(",")
    })
  }
  return {
    authenticateToken: (token, audiences) => {
      const user = users.get(token)
      return user === undefined ? undefined : { user, audiences }
    }
  }
}
