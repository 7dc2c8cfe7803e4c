import java.net.HttpURLConnection;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.WebSocket;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;

/** Asks a host of world.py by what Java has itself; a line for each. */
class Client {
    interface Ask {
        Object ask() throws Exception;
    }

    static final URI PLACE = URI.create("https://site.test/java");

    static void said(String name, Ask ask) {
        try {
            System.out.println(name + " " + ask.ask().toString().strip());
        } catch (Exception error) {
            System.out.println(name + " " + error);
        }
    }

    public static void main(String[] words) throws Exception {
        said("url-connection", () -> {
            var connection = (HttpURLConnection) PLACE.toURL().openConnection();
            connection.setDoOutput(true);
            connection.getOutputStream().write("hello".getBytes());
            return new String(connection.getInputStream().readAllBytes());
        });
        var client = HttpClient.newHttpClient();
        said("http-client", () -> {
            var wish = HttpRequest.newBuilder(PLACE).POST(HttpRequest.BodyPublishers.ofString("hello")).build();
            return client.send(wish, HttpResponse.BodyHandlers.ofString()).body();
        });
        said("web-socket", () -> {
            var heard = new CompletableFuture<String>();
            var listener = new WebSocket.Listener() {
                public CompletionStage<?> onText(WebSocket socket, CharSequence text, boolean last) {
                    heard.complete(text.toString());
                    return null;
                }
            };
            var socket = client.newWebSocketBuilder().buildAsync(URI.create("wss://site.test/ws"), listener).get();
            socket.sendText("hello", true);
            return heard.get();
        });
    }
}
