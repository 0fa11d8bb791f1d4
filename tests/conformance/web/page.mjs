// In the browser, on a page of another port than the API: tells the server of the page how it went.
import { run } from "./calls.mjs";

const tell = (text) => fetch("/report", { method: "POST", body: text });
try {
	const descriptors = new Uint8Array(await (await fetch("/descriptors")).arrayBuffer());
	const api = new URLSearchParams(location.search).get("api");
	await run(api, descriptors, (name, error) => tell(`${name} ${error ? `FAILED ${error}` : "ok"}`));
} catch (error) {
	await tell(`page FAILED ${error}`);
}
await tell("done");
