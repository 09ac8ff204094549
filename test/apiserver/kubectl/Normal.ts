// What two clusters may say differently because they are two: times, uids, versions, random names, addresses and ports.
// Owns these replacements; refuses all else, which is a difference.

const RANDOM = "[bcdfghjklmnpqrstvwxz2456789]"

const replacements: ReadonlyArray<readonly [RegExp, string]> = [
  [/https?:\/\/(?:127\.0\.0\.1|localhost):\d+/g, "SERVER"],
  [/\b127\.0\.0\.1:\d+/g, "ADDRESS"],
  [/\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/g, "UID"],
  [/\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z\b/g, "TIME"],
  [/\b[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d \+\d{4}/g, "TIME"],
  [/\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)? \+0000(?: UTC)?/g, "TIME"],
  [/(resource ?version\\?"?:\s*\\?"?)\d+/gi, "$1VERSION"],
  [/eyJ[\w-]+\.[\w-]+\.[\w-]+/g, "TOKEN"],
  [/\b\d+(?:y\d+d|d\d+h|h\d+m|m\d+s|[smhdy])\b/g, "AGE"],
  [/\b10\.\d{1,3}\.\d{1,3}\.\d{1,3}\b/g, "IP"],
  [/\b3[0-2]\d{3}\b/g, "PORT"],
  [new RegExp(`(-${RANDOM}{6,10})?-${RANDOM}{5}(?![A-Za-z0-9])`, "g"), "$1-RANDOM"],
  [/\/tmp\/[\w./-]+/g, "FILE"],
  [/^[IWEF]\d{4} \d\d:\d\d:\d\d\.\d+\s+\d+ (\w+\.go:\d+)\]/gm, "LOG $1]"]
]

/** A text without what must differ; columns keep their order, not their width. */
export const normal = (text: string): string => {
  let result = text
  for (const [pattern, by] of replacements) result = result.replace(pattern, by)
  return result
    .split("\n")
    .map((line) => line.trimEnd().replace(/(\S) {2,}/g, "$1  "))
    .join("\n")
    .trimEnd()
}
