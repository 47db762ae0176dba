// A client of batchd in Go whose calls were generated from common/varlink: it submits, lists, waits and
// follows a stream, and ends with 1 when an answer is not as it must be.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"strings"

	"iobatchdevents"
	"iobatchdjobs"
	"iobatchdlogs"
	"iobatchdserver"

	"github.com/varlink/go/varlink"
)

func check(ok bool, format string, args ...interface{}) {
	if !ok {
		fmt.Fprintf(os.Stderr, "go client: "+format+"\n", args...)
		os.Exit(1)
	}
}

func connect(ctx context.Context) *varlink.Connection {
	connection, err := varlink.NewConnection(ctx, "unix:"+os.Args[1])
	check(err == nil, "connect: %v", err)
	return connection
}

// padded calls a generated function with its first arguments and nothing for the rest: optional members
// of the request are parameters, and later versions have more of them. It returns what the function does.
func padded(function interface{}, first ...interface{}) []interface{} {
	value := reflect.ValueOf(function)
	arguments := []reflect.Value{}
	for i := 0; i < value.Type().NumIn(); i++ {
		if i < len(first) && first[i] != nil {
			arguments = append(arguments, reflect.ValueOf(first[i]))
		} else {
			arguments = append(arguments, reflect.Zero(value.Type().In(i)))
		}
	}
	results := []interface{}{}
	for _, result := range value.Call(arguments) {
		results = append(results, result.Interface())
	}
	return results
}

func submit(ctx context.Context, c *varlink.Connection, name string, words ...string) int64 {
	argv := []json.RawMessage{}
	for _, word := range words {
		text, _ := json.Marshal(word)
		argv = append(argv, text)
	}
	cwd := json.RawMessage(`"/"`)
	env := json.RawMessage(`{"PATH": "/usr/bin:/bin"}`)
	high := "high"
	reply := padded(iobatchdjobs.Submit().Call, ctx, c, &argv, nil, nil, &name, nil, &high, nil, nil, nil,
		&cwd, &env)
	err := reply[len(reply)-1]
	check(err == nil, "submit: %v", err)
	id, state, existing := reply[0].(int64), reply[1].(string), reply[2].(bool)
	check(state == "pending" && !existing, "submit %d: state %s, existing %v", id, state, existing)
	return id
}

func list(ctx context.Context, c *varlink.Connection) []iobatchdjobs.Job {
	reply := padded(iobatchdjobs.List().Call, ctx, c)
	err := reply[len(reply)-1]
	check(err == nil, "list: %v", err)
	return reply[0].([]iobatchdjobs.Job)
}

// follow returns what a job wrote and how the stream said that it ended.
func follow(ctx context.Context, c *varlink.Connection, id int64) (string, string, int) {
	receive, err := iobatchdlogs.Follow().Send(ctx, c, varlink.More, id, nil, nil, nil)
	check(err == nil, "follow: %v", err)
	text := ""
	for parts := 0; ; parts++ {
		_, data, _, state, _, flags, err := receive(ctx)
		check(err == nil, "follow: %v", err)
		if data != nil {
			piece := ""
			check(json.Unmarshal(*data, &piece) == nil, "data: %s", *data)
			text += piece
		}
		if flags&varlink.Continues == 0 {
			check(state != nil, "the last reply has no state")
			return text, *state, parts
		}
	}
}

// ended reads events until the one that says that the job ended.
func ended(ctx context.Context, c *varlink.Connection, id int64, since int64) string {
	receive, err := iobatchdevents.Subscribe().Send(ctx, c, varlink.More, &since)
	check(err == nil, "subscribe: %v", err)
	last := since
	for {
		seq, _, event, job, _, state, _, _, _, _, _, flags, err := receive(ctx)
		check(err == nil && flags&varlink.Continues != 0, "events: %v", err)
		check(seq == nil || *seq == last+1, "seq %d after %d", seq, last)
		if seq != nil {
			last = *seq
		}
		if job != nil && *job == id && *event == "ended" {
			return *state
		}
	}
}

// oldestEvent asks for events that no daemon has: the refusal names the oldest one.
func oldestEvent(ctx context.Context, c *varlink.Connection) int64 {
	never := int64(0)
	receive, err := iobatchdevents.Subscribe().Send(ctx, c, varlink.More, &never)
	check(err == nil, "subscribe: %v", err)
	reply := padded(receive, ctx)
	refused, isError := reply[len(reply)-1].(*varlink.Error)
	check(isError && refused.Name == "io.batchd.StaleCursor", "events: %v", reply[len(reply)-1])
	parameters := struct{ Oldest int64 }{}
	check(json.Unmarshal(*refused.Parameters.(*json.RawMessage), &parameters) == nil, "parameters")
	return parameters.Oldest
}

func main() {
	ctx := context.Background()
	c := connect(ctx)
	version, _, _, _, _, _, _, socket, err := iobatchdserver.GetInfo().Call(ctx, c)
	check(err == nil && version != "" && socket == os.Args[1], "info: %v %s %s", err, version, socket)

	script := "for i in 1 2 3; do echo line $i; sleep 0.05; done; exit 3"
	first := submit(ctx, c, "streams", "sh", "-c", script)
	text, state, parts := follow(ctx, c, first)
	check(text == "line 1\nline 2\nline 3\n", "output: %q", text)
	check(state == "failed" && parts >= 2, "state %s after %d parts", state, parts)
	second := submit(ctx, c, "quick", "true")
	jobs, timedOut, err := iobatchdjobs.Wait().Call(ctx, c, []int64{first, second}, nil, nil, nil, nil)
	check(err == nil && !timedOut && len(jobs) == 2, "wait: %v, %d jobs", err, len(jobs))

	listed := list(ctx, c)
	check(len(listed) == 2, "%d jobs are listed", len(listed))
	job := listed[0]
	check(job.Id == first && job.Name == "streams" && job.Priority == "high", "job: %+v", job)
	check(job.Outcome != nil && job.Outcome.Class == "exit" && *job.Outcome.Exit_code == 3 &&
		job.Outcome.Signal == nil, "outcome: %+v", job.Outcome)
	check(listed[1].State == "completed", "state: %s", listed[1].State)
	oldest := oldestEvent(ctx, c)
	check(ended(ctx, connect(ctx), second, oldest) == "completed", "the event of job %d", second)

	_, err = iobatchdjobs.Show().Call(ctx, c, 99, nil, nil, nil, nil)
	refused, isError := err.(*varlink.Error)
	check(isError && refused.Name == "io.batchd.NoSuchJob", "error: %v", err)
	check(strings.Contains(string(*refused.Parameters.(*json.RawMessage)), `"id":99`), "parameters")
	fmt.Printf("go client: %d jobs, %d parts of a stream\n", len(listed), parts)
}
