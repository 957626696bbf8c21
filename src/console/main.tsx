/** The console: who opens it is connected as he was before, or without a name where the broker lets him. */
import { render } from "preact";
import { App } from "./app.tsx";
import { resume } from "./session/session.ts";
import "./style/base.css";
import "./style/parts.css";
import "./style/topics.css";
import "./style/messages.css";
import "./style/clients.css";
import "./style/access.css";
import "./style/overview.css";

render(<App />, document.getElementById("console")!);
void resume();
