function drawFigure(element, spec) { return Plotly.newPlot(element, spec.data, spec.layout, {displaylogo:false, responsive:true}); }
