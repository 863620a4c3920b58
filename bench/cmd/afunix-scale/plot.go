package main

import (
	"image/color"
	"os"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"

	"afunix"
)

var colours = map[afunix.Transport]color.Color{
	afunix.KernelTransport: color.Gray{Y: 130},
	afunix.PipeTransport:   color.RGBA{R: 200, G: 80, A: 255},
}

// ticks marks what was measured.
func ticks(at []int) (marks plot.ConstantTicks) {
	for _, n := range at {
		marks = append(marks, plot.Tick{Value: float64(n), Label: strconv.Itoa(n)})
	}
	return marks
}

// plots returns the figures, two in a row.
func plots(figures []*figure) ([][]*plot.Plot, error) {
	var rows [][]*plot.Plot
	for i, f := range figures {
		p := plot.New()
		p.Title.Text, p.Y.Label.Text, p.Y.Min = f.title, f.unit, 0
		p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, ticks(f.at)
		p.Title.TextStyle.Font.Size = vg.Points(10)
		p.Legend.Top = true
		for _, tr := range transports {
			points := make(plotter.XYs, len(f.at))
			for j, n := range f.at {
				points[j] = plotter.XY{X: float64(n), Y: f.values[tr][j]}
				p.Y.Max = max(p.Y.Max, 1.3*points[j].Y)
			}
			line, dots, err := plotter.NewLinePoints(points)
			if err != nil {
				return nil, err
			}
			line.Color, dots.Color = colours[tr], colours[tr]
			p.Add(line, dots)
			p.Legend.Add(tr.String(), line, dots)
		}
		if i%2 == 0 {
			rows = append(rows, nil)
		}
		rows[len(rows)-1] = append(rows[len(rows)-1], p)
	}
	return rows, nil
}

// drawFile writes the figures into an SVG file, two in a row.
func drawFile(figures []*figure, path string) error {
	rows, err := plots(figures)
	if err != nil {
		return err
	}
	image := vgsvg.New(24*vg.Centimeter, 16*vg.Centimeter)
	tiles := draw.Tiles{Rows: len(rows), Cols: 2, PadX: vg.Millimeter * 8,
		PadRight: vg.Millimeter * 5, PadTop: vg.Millimeter * 3, PadY: vg.Millimeter * 5}
	for i, row := range plot.Align(rows, tiles, draw.New(image)) {
		for j := range row {
			rows[i][j].Draw(row[j])
		}
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if _, err := image.WriteTo(f); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}
