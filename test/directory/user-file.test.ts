/** Users in files, as `npm run user -- add --file` reads them. */

import { describe, expect, test } from "vitest";
import { parseUserFile } from "../../scripts/local/user-file.ts";

describe("files of users", () => {
  const ada = { user: "ada", password: "x", publish: ["a/#"] };

  test("a JSON object on each line, or a JSON array", () => {
    expect(parseUserFile(`${JSON.stringify(ada)}\n\n{"user":"bob"}\n`)).toEqual([ada, { user: "bob" }]);
    expect(parseUserFile(JSON.stringify([ada]))).toEqual([ada]);
    expect(parseUserFile(" \n")).toEqual([]);
  });

  test("CSV, with filters separated by spaces", () => {
    const text = '\ufeffuser,password,publish,subscribe\r\nada,"a ""b"", c",a/# b/+,\r\n"bob, the builder",,,c\r\n';
    expect(parseUserFile(text)).toEqual([
      { user: "ada", password: 'a "b", c', publish: ["a/#", "b/+"], subscribe: [] },
      { user: "bob, the builder", publish: [], subscribe: ["c"] },
    ]);
  });

  test("CSV without a column of rights says nothing of them: who has some keeps them", () => {
    expect(parseUserFile("user,password\nada,new\n")).toEqual([{ user: "ada", password: "new" }]);
    expect(parseUserFile("user,publish\nada,\n")).toEqual([{ user: "ada", publish: [] }]);
  });

  test.each([
    ["name,password\nx,y", "The first line must name columns"],
    ["user,password\nx", "Line 2 has 1 cells where 2 were expected."],
    ['user\n"x', "Line 2 is not valid CSV."],
    ["user,password\n,y", "Line 2 has no user."],
    ['{"user":"a"}\n{"user":1}', "Line 2 must be an object with a user."],
    ['{"user":"a","pass":"secret"}', "Line 1 has an unknown field"],
    ['{"user":"a"', "Line 1 is not valid JSON."],
  ])("%j is told of without its content", (text, sentence) => {
    expect(() => parseUserFile(text)).toThrow(sentence);
  });
});
