document.body.textContent = "durable-mqtt";
