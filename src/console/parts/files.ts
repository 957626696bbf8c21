/** Files that go to the disk of whoever looks, and come from there. */

/** @param content one after the other; a list, as a call takes no more than so many arguments */
export function saveAs(name: string, content: readonly (string | Uint8Array)[]): void {
  const url = URL.createObjectURL(new Blob(content as BlobPart[]));
  const link = document.createElement("a");
  link.href = url;
  link.download = name.replace(/[^\w.-]+/g, "_");
  link.click();
  URL.revokeObjectURL(url);
}

/** @returns the text of a file that somebody chooses; undefined when nobody does */
export function chosenFile(accept: string): Promise<File | undefined> {
  return new Promise((resolve) => {
    const input = document.createElement("input");
    input.type = "file";
    input.accept = accept;
    input.addEventListener("change", () => resolve(input.files?.[0]));
    input.addEventListener("cancel", () => resolve(undefined));
    input.click();
  });
}
